"""Dead letters: messages and deliveries that wait for an administrator, with all that a replay needs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

from shared.mail.delivery import Delivery
from shared.mail.edits import Edit, decode
from shared.mail.envelope import Envelope
from shared.spool import keys
from shared.spool.operation import Batch, Command, Operation, Script

Start = Literal["start", "delivery"]


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A parked message (stage transform) or delivery (stage egress). parked_at in seconds since the epoch.

    reason: one of shared.history.reasons.PARK_REASONS; detail: text for people.
    """

    id: str
    message_id: str
    stage: Literal["transform", "egress"]
    system: str | None
    reason: str
    detail: str
    parked_at: float
    envelope: Envelope
    delivery: Delivery | None = None
    edits: tuple[Edit, ...] = ()


@dataclass(frozen=True, slots=True)
class Filter:
    """Which dead letters to select; None selects any. since: seconds since the epoch."""

    stage: str | None = None
    system: str | None = None
    reason: str | None = None
    since: float | None = None

    def matches(self, letter: DeadLetter) -> bool:
        """Return whether the letter is selected. A message that was never converted has its source system."""
        return (
            self.stage in (None, letter.stage)
            and self.system in (None, letter.system or letter.envelope.source)
            and self.reason in (None, letter.reason)
            and (self.since is None or letter.parked_at >= self.since)
        )


_FATE = ("reason", "detail", "parked_at")


def show_dead(id: str) -> Operation[DeadLetter | None]:
    """Return one dead letter by the id of its message or delivery, or None."""
    score, of_message, of_delivery = yield Batch(
        (
            Command("ZSCORE", (keys.DEAD, id)),
            Command("HMGET", (keys.message(id), *_FATE, "envelope")),
            Command("HMGET", (keys.delivery(id), *_FATE, "message", "delivery", "edits")),
        )
    )
    if score is None:
        return None
    if of_message[0] is not None:
        reason, detail, parked_at, envelope = of_message
        found = Envelope.from_json(envelope)
        return DeadLetter(id, id, "transform", None, reason.decode(), detail.decode(), float(parked_at), found)
    reason, detail, parked_at, message, delivery, edits = of_delivery
    if reason is None:  # replayed or discarded in the meantime
        return None
    envelope = yield Command("HGET", (keys.message(message.decode()), "envelope"))
    if envelope is None:
        return None
    restored = Delivery.from_json(delivery)
    return DeadLetter(
        id,
        message.decode(),
        "egress",
        restored.system,
        reason.decode(),
        detail.decode(),
        float(parked_at),
        Envelope.from_json(envelope),
        restored,
        decode(edits),
    )


def list_dead(wanted: Filter = Filter(), limit: int | None = None) -> Operation[list[DeadLetter]]:
    """Return the dead letters that the filter selects, oldest first, at most `limit`."""
    oldest: float | str = "-inf" if wanted.since is None else wanted.since
    ids = yield Command("ZRANGEBYSCORE", (keys.DEAD, oldest, "+inf"))
    found: list[DeadLetter] = []
    for id in ids:
        letter = yield from show_dead(id.decode())
        if letter and wanted.matches(letter):
            found.append(letter)
            if len(found) == limit:
                break
    return found


def replay(letter: DeadLetter, start: Start, *, dry_run: bool = False) -> Operation[str]:
    """Requeue a dead letter: convert it again, or deliver it as it was converted.

    Returns "convert" or "deliver" (what was, or with `dry_run` would be, done), "gone" if it is no longer a dead
    letter, or "busy" while another part of the message is being converted: try again later. Recipients that already
    have the message do not get it twice.
    """
    recipients = letter.delivery.recipients if letter.delivery else ()
    again = json.dumps([recipient.original for recipient in recipients if recipient.state != "delivered"])
    answer: bytes = yield Script("replay", (letter.id, start, int(dry_run), again))
    return answer.decode()


def discard(id: str, history_seconds: float = 86_400) -> Operation[bool]:
    """Remove a dead letter permanently; return whether it existed."""
    done: Any = yield Script("discard", (id, int(history_seconds)))
    return bool(done)
