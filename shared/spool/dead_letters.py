"""Dead letters: messages and deliveries that wait for a person, with everything needed to replay them."""

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

    reason: one of shared.history.reasons.PARK_REASONS; detail is for people.
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
    """Which dead letters are meant; None means any. since: seconds since the epoch."""

    stage: str | None = None
    system: str | None = None
    reason: str | None = None
    since: float | None = None

    def matches(self, letter: DeadLetter) -> bool:
        """Tell whether the letter is meant. The system of a message that was never converted is where it came from."""
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
    if reason is None:  # replayed or discarded while we looked
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
    """Return the dead letters that the filter means, oldest first, at most `limit`."""
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
    """Put a dead letter back to work: convert it again, or deliver it as it was converted.

    Returns "convert" or "deliver" (what was, or with `dry_run` would be, done), "gone" where it is no dead letter any
    more, or "busy" where another part of the message is being converted: try again. Who has the message already does
    not get it twice.
    """
    recipients = letter.delivery.recipients if letter.delivery else ()
    again = json.dumps([one.original for one in recipients if one.state != "delivered"])
    answer: bytes = yield Script("replay", (letter.id, start, int(dry_run), again))
    return answer.decode()


def discard(id: str, history_seconds: float = 86_400) -> Operation[bool]:
    """Remove a dead letter for good; return whether there was one."""
    done: Any = yield Script("discard", (id, int(history_seconds)))
    return bool(done)
