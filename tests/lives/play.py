"""Meeting lives: drawn from a seed, carried through the gateway in some order, and compared at the other end."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Literal

from services.transform.steps import calendar_to_exchange, calendar_to_notes
from tests.lives.organizers import ExchangeOrganizer, NotesOrganizer, days
from tests.lives.receivers import Mailbox, Span
from tests.support.meeting_gateway import MeetingGateway

Order = Literal["calm", "doubled", "late", "swapped"]
ORDERS: tuple[Order, ...] = ("calm", "doubled", "late", "swapped")
_RULES = ("FREQ=DAILY", "FREQ=WEEKLY", "FREQ=WEEKLY;INTERVAL=2", "FREQ=MONTHLY;BYMONTHDAY=4,9")
_KINDS = ("eastern", "berlin", "utc", "floating", "days")
_FIRST_DAYS = (date(2027, 1, 11), date(2027, 3, 10), date(2027, 3, 22), date(2027, 10, 25), date(2027, 11, 3))
_STEPS = (calendar_to_exchange.STEP, calendar_to_notes.STEP)

Meeting = NotesOrganizer | ExchangeOrganizer


@dataclass(frozen=True)
class Life:
    """A seed's life. messages: in the order in which they reach the gateway; truth: by organizer."""

    seed: int
    order: Order
    messages: tuple[bytes, ...]
    truth: dict[str, list[Span]]


@dataclass(frozen=True)
class Mismatch:
    """Where a calendar is another one than the organizer's."""

    seed: int
    order: Order
    by_instance: bool
    wanted: list[Span]
    found: list[Span]

    def __str__(self) -> str:
        """Return one line."""
        missing = [span for span in self.wanted if span not in self.found]
        ghosts = [span for span in self.found if span not in self.wanted]
        return f"seed {self.seed} ({self.order}, by instance: {self.by_instance}): missing {missing}, ghosts {ghosts}"


def draw(seed: int) -> Life:
    """Draw the life of a seed."""
    chance = random.Random(seed)
    order = ORDERS[seed % len(ORDERS)]
    meeting = _meeting(chance, seed, is_of_notes=bool(seed // len(ORDERS) % 2))
    sent = [meeting.invite(), *_changes(chance, meeting)]
    truth = {meeting.address: meeting.spans()}
    if chance.random() < 0.2:
        other = _meeting(chance, seed, is_of_notes=isinstance(meeting, NotesOrganizer))
        other.address = meeting.address.replace("ann", "zoe")
        theirs = [other.invite(), *_changes(chance, other)]
        truth[other.address] = other.spans()
        sent = _interleaved(chance, sent, theirs)
    return Life(seed, order, tuple(_ordered(chance, sent, order)), truth)


def play(life: Life) -> list[Mismatch]:
    """Carry a life through a gateway of its own, and compare every calendar with its organizer's."""
    gateway = MeetingGateway(steps=_STEPS)
    mailboxes = [Mailbox(by_instance=False), Mailbox(by_instance=True)]
    for message in life.messages:
        carried = gateway.carry(message)
        assert not [report.failure for report in carried.conversion.reports if report.failure]
        for text in carried.calendars:
            for mailbox in mailboxes:
                mailbox.receive(text)
    found = []
    for mailbox in mailboxes:
        for address, wanted in life.truth.items():
            public = f"{address.partition('@')[0]}@example.com"
            if mailbox.spans(public) != wanted:
                found.append(Mismatch(life.seed, life.order, mailbox.by_instance, wanted, mailbox.spans(public)))
    return found


def _meeting(chance: random.Random, number: int, *, is_of_notes: bool) -> Meeting:
    kind = chance.choice(_KINDS)
    rule = chance.choice(_RULES if is_of_notes else _RULES[:-1])  # Outlook has no series on two dates
    count = chance.randint(1 if not is_of_notes else 2, 6)
    at = time() if kind == "days" else time(chance.choice((9, 10, 16)), chance.choice((0, 30)))
    first = days(chance.choice(_FIRST_DAYS), rule, 1)[0]
    starts = [datetime.combine(day, at) for day in days(first, rule, count)]
    length = timedelta(days=1) if kind == "days" else timedelta(minutes=chance.choice((30, 60)))
    said = f"{rule};COUNT={count}"
    return (NotesOrganizer if is_of_notes else ExchangeOrganizer)(kind, starts, length, said, number)


def _changes(chance: random.Random, meeting: Meeting) -> list[bytes]:
    sent: list[bytes] = []
    for _ in range(chance.randint(1, 5)):
        left = sorted(meeting.dates)
        if not left:
            break
        change = _change(chance, meeting, chance.choice(left))
        if change is not None:
            sent.append(change())
    return sent


def _change(chance: random.Random, meeting: Meeting, name: datetime) -> Callable[[], bytes] | None:
    """Return one of the changes that the meeting may take now, None where what was drawn is none."""
    by = (
        timedelta(days=chance.choice((-2, -1, 1, 2)))
        if meeting.kind == "days"
        else timedelta(hours=chance.choice((-2, 1, 3, 24, 48)))
    )
    kinds = ["move", "move", "reschedule", "reschedule", "cancel", "update"]
    if isinstance(meeting, NotesOrganizer):
        kinds += ["move_rest", "cancel_rest", "join"]
    kinds += ["cancel_all"] if chance.random() < 0.3 else []
    kind = chance.choice(kinds)
    if len(meeting.starts) == 1 and kind in ("move", "cancel"):
        return None
    if kind == "move":
        start, end = meeting.dates[name]
        return (lambda: meeting.move(name, by)) if meeting.is_free({name: (start + by, end + by)}) else None
    if kind == "move_rest" and isinstance(meeting, NotesOrganizer):
        tail = {one: (start + by, end + by) for one, (start, end) in meeting.dates.items() if one >= name}
        return (lambda: meeting.move_rest(name, by)) if meeting.is_free(tail) else None
    if kind == "reschedule":
        return lambda: meeting.reschedule(by)
    if kind in ("cancel", "cancel_rest"):
        return lambda: getattr(meeting, kind)(name)
    found: Callable[[], bytes] = getattr(meeting, kind)
    return found


def _interleaved(chance: random.Random, one: list[bytes], other: list[bytes]) -> list[bytes]:
    places = sorted(chance.sample(range(len(one) + len(other)), len(one)))
    ours, theirs = iter(one), iter(other)
    return [next(ours) if at in places else next(theirs) for at in range(len(one) + len(other))]


def _ordered(chance: random.Random, sent: list[bytes], order: Order) -> list[bytes]:
    messages = list(sent)
    if order == "doubled":
        for message in chance.sample(messages, chance.randint(1, len(messages))):
            first = messages.index(message)
            messages.insert(chance.randint(first + 1, len(messages)), message)
    elif order == "late":
        late = messages.pop(chance.randrange(len(messages)))
        messages.insert(chance.randint(min(sent.index(late) + 1, len(messages)), len(messages)), late)
    elif order == "swapped":
        chance.shuffle(messages)
    return messages


def main(first: int, count: int) -> int:
    """Play lives, print every mismatch with its seed, and return how many there were."""
    wrong = 0
    for seed in range(first, first + count):
        try:
            for mismatch in play(draw(seed)):
                wrong += 1
                sys.stdout.write(f"{mismatch}\n")
        except Exception as error:  # noqa: BLE001 the run goes on, and says so
            wrong += 1
            sys.stdout.write(f"seed {seed}: {error!r}\n")
        sys.stdout.flush()
    sys.stdout.write(f"{count} lives from seed {first}: {wrong} mismatches\n")
    return wrong


if __name__ == "__main__":
    sys.exit(min(1, main(int(sys.argv[1]), int(sys.argv[2]))))
