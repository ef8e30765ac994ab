"""What one side was last sent of a meeting: under which rule, names and SEQUENCEs, instance by instance. Pure.

One side is one system, by its name: what Exchange was sent of a meeting of Notes is another record than what Notes was
sent of a meeting of Exchange.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

from shared.calendar.moments import Occurrence, instant
from shared.calendar.values import Moment


@dataclass(frozen=True, slots=True)
class SentInstance:
    """One instance as it was last sent.

    original: its name on the organizer's side. slot: its name on the side it was sent to. Both in UTC, or dates.
    is_apart: sent as a single meeting with a UID of its own, `single_uid(uid, original)`, because the rule cannot hold
    it. sequence: SEQUENCE as sent; source_sequence: as the organizer's side had it. changed_by: the notice that last
    changed it by itself, "" where only the whole was sent; left_by: the notice by which it
    left the series, or came back.
    """

    original: Moment
    slot: Moment
    occurrence: Occurrence
    is_apart: bool = False
    is_cancelled: bool = False
    sequence: int = 0
    source_sequence: int = 0
    changed_by: str = ""
    left_by: str = ""


@dataclass(frozen=True, slots=True)
class Replaced:
    """A UID under which the meeting was sent before, and the notice that gave it another."""

    uid: str
    is_series: bool
    instances: tuple[SentInstance, ...]
    sequence: int
    by: str


@dataclass(frozen=True, slots=True)
class SentMeeting:
    """A meeting as one side was last sent it.

    rule: the RRULE sent, "" where there is none; start, length: of its first slot, in UTC or a date, None without a
    rule. zone: the key in tzdata of the zone it was sent in. sequence: the highest SEQUENCE sent to this side;
    source_sequence: of all of it, on the organizer's side. stamped_at: the latest DTSTAMP sent. cancelled_by: the
    notice that cancelled all of it. was_cut: whether instances were cancelled one by one.
    """

    uid: str
    instances: tuple[SentInstance, ...] = ()
    rule: str = ""
    start: Moment | None = None
    length: timedelta = timedelta()
    zone: str = "UTC"
    sequence: int = 0
    source_sequence: int = 0
    stamped_at: int = 0
    cancelled_by: str = ""
    was_cut: bool = False
    replaced: Replaced | None = None

    @property
    def alive(self) -> tuple[SentInstance, ...]:
        """The instances that take place, in the order sent."""
        return tuple(one for one in self.instances if not one.is_cancelled)

    @property
    def occurrences(self) -> tuple[Occurrence, ...]:
        """When the meeting is, in the order sent."""
        return tuple(one.occurrence for one in self.alive)

    @property
    def is_exploded(self) -> bool:
        """Whether nothing of it was ever sent by a rule, or as the single meeting that it is."""
        return bool(self.instances) and not self.rule and all(one.is_apart for one in self.instances)

    def by_original(self, name: Moment) -> SentInstance | None:
        """Return the instance that the organizer's side names so."""
        wanted = instant(name)
        return _first(one for one in self.instances if instant(one.original) == wanted)

    def by_slot(self, name: Moment) -> SentInstance | None:
        """Return the instance that the side it was sent to names so, or by the organizer's name, or its start."""
        wanted = instant(name)
        return (
            _first(one for one in self.instances if instant(one.slot) == wanted)
            or self.by_original(name)
            or _first(one for one in self.alive if instant(one.occurrence.start) == wanted)
        )

    def cancelled(self, by: str, sequence: int, source_sequence: int, stamped_at: int) -> SentMeeting:
        """Return it with every instance cancelled; another copy of the notice changes nothing but the stamp.

        by: the notice that cancels. sequence: the SEQUENCE to send at least. source_sequence: the one of the notice.
        """
        if not self.alive:
            return replace(self, stamped_at=stamped_at)
        sequence = max(sequence, self.sequence + 1)
        return replace(
            self,
            instances=tuple(
                one if one.is_cancelled else replace(one, is_cancelled=True, changed_by=by, sequence=sequence)
                for one in self.instances
            ),
            sequence=sequence,
            source_sequence=source_sequence,
            stamped_at=stamped_at,
            cancelled_by=by,
        )

    def expires_at(self, now: float, margin_seconds: float) -> float:
        """Return when it may be forgotten: a margin after the last occurrence, and after now."""
        last = max((instant(one.occurrence.end) for one in self.instances), default=None)
        return max(now, last.timestamp() if last else now) + margin_seconds


def _first(instances: Iterable[SentInstance]) -> SentInstance | None:
    """Return one of the instances, those that take place first."""
    return min(instances, key=lambda one: one.is_cancelled, default=None)


def in_order(instances: Iterable[SentInstance]) -> Iterator[SentInstance]:
    """Yield instances by where the side they were sent to has them."""
    yield from sorted(instances, key=lambda one: instant(one.slot))
