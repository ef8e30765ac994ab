"""What all replicas together may do with a smart host: so many connections at once, so many messages a minute.

A connection holds a slot, leased as a job is: who holds it renews it, and what a killed replica held runs out. Messages
take turns, evenly spread. All times are Redis' own, and hosts are known by "host:port".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from shared.spool import keys
from shared.spool.operation import Batch, Command, Operation, Script

WISH_SECONDS = 2.0
"""How long a replica that found no slot free is remembered to want one, unless it asks again."""


@dataclass(frozen=True, slots=True)
class Slot:
    """The right to one connection. number: unique among the slots that its replica ever had."""

    host: str
    replica: str
    number: int

    @property
    def name(self) -> str:
        """What Redis knows it by."""
        return f"{self.replica}/{self.number}"


@dataclass(frozen=True, slots=True)
class Pace:
    """seconds: between two messages of an even flow. burst: how many may go at once after a pause."""

    seconds: float
    burst: int


@dataclass(frozen=True, slots=True)
class Renewal:
    """lost: slots that had run out before, so that others may have taken them. wanted: hosts to give one slot up of."""

    lost: frozenset[str]
    wanted: frozenset[str]


def pace_of(messages_per_minute: int) -> Pace:
    """Return a pace under which no minute ever sees more messages; what a second sees on average may go at once."""
    burst = max(messages_per_minute // 60, 1)
    return Pace(60 / (messages_per_minute - burst + 1), burst)


def take_slot(slot: Slot, max_connections: int, seconds: float) -> Operation[bool]:
    """Take a slot for `seconds` where one is free; return whether it was.

    A replica that holds fewer and asked in vain lately goes first.
    """
    taken = yield Script("take_host_slot", (slot.host, slot.replica, slot.name, max_connections, seconds, WISH_SECONDS))
    return bool(taken)


def renew_slots(replica: str, slots: Iterable[Slot], seconds: float) -> Operation[Renewal]:
    """Prolong a replica's slots to `seconds` from now; those that had run out are counted again, and told of."""
    named = [part for slot in slots for part in (slot.host, slot.name)]
    lost, wanted = yield Script("renew_host_slots", (replica, seconds, *named))
    return Renewal(frozenset(one.decode() for one in lost), frozenset(one.decode() for one in wanted))


def return_slots(slots: Iterable[Slot]) -> Operation[None]:
    """Give slots back; those that ran out meanwhile do no harm."""
    yield Batch([Command("ZREM", (keys.host_slots(slot.host), slot.name)) for slot in slots])


def take_turn(host: str, pace: Pace) -> Operation[float]:
    """Return 0.0 where a message may go to the host now, and it is counted; else the seconds until one may."""
    microseconds: int = yield Script("take_host_turn", (host, f"{pace.seconds:.9f}", pace.burst))
    return microseconds / 1_000_000
