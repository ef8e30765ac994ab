"""Limits of a smart host that all replicas share: concurrent connections and messages per minute.

A connection holds a slot, leased like a job: its holder renews it, and the slots of a killed replica expire. Messages
are spread evenly over the minute. All times are from Redis' clock; hosts are identified by "host:port".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from shared.spool import keys
from shared.spool.operation import Batch, Command, Operation, Script

WISH_SECONDS = 2.0
"""How long the request of a replica that found no free slot is remembered, unless it asks again."""


@dataclass(frozen=True, slots=True)
class Slot:
    """The right to one connection. number: unique among all slots that its replica has ever held."""

    host: str
    replica: str
    number: int

    @property
    def name(self) -> str:
        """Its name in Redis."""
        return f"{self.replica}/{self.number}"


@dataclass(frozen=True, slots=True)
class Pace:
    """A message rate. seconds: between two messages of an even flow. burst: messages allowed at once after a pause."""

    seconds: float
    burst: int


@dataclass(frozen=True, slots=True)
class Renewal:
    """Result of a renewal. lost: slots that had expired and may have a new holder. wanted: hosts to free a slot of."""

    lost: frozenset[str]
    wanted: frozenset[str]


def pace_of(messages_per_minute: int) -> Pace:
    """Return a pace that never exceeds the limit in any minute; the burst is the average of one second."""
    burst = max(messages_per_minute // 60, 1)
    return Pace(60 / (messages_per_minute - burst + 1), burst)


def take_slot(slot: Slot, max_connections: int, seconds: float) -> Operation[bool]:
    """Take a slot for `seconds` if a slot is free; return whether it was.

    A replica that holds fewer slots and was recently refused has priority.
    """
    taken = yield Script("take_host_slot", (slot.host, slot.replica, slot.name, max_connections, seconds, WISH_SECONDS))
    return bool(taken)


def renew_slots(replica: str, slots: Iterable[Slot], seconds: float) -> Operation[Renewal]:
    """Extend a replica's slots to `seconds` from now; expired slots are counted again, and returned as lost."""
    named = [part for slot in slots for part in (slot.host, slot.name)]
    lost, wanted = yield Script("renew_host_slots", (replica, seconds, *named))
    return Renewal(frozenset(slot.decode() for slot in lost), frozenset(host.decode() for host in wanted))


def return_slots(slots: Iterable[Slot]) -> Operation[None]:
    """Release slots; slots that have expired are ignored."""
    yield Batch([Command("ZREM", (keys.host_slots(slot.host), slot.name)) for slot in slots])


def take_turn(host: str, pace: Pace) -> Operation[float]:
    """Return 0.0 and count the message if it may be sent to the host now; else return the seconds to wait."""
    microseconds: int = yield Script("take_host_turn", (host, f"{pace.seconds:.9f}", pace.burst))
    return microseconds / 1_000_000
