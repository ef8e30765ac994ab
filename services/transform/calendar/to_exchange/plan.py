"""The values in which it is planned what Outlook is told of a meeting that Notes organises."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Literal

from icalendar import Component

from services.transform.calendar.series import Series, Told
from shared.calendar.moments import Occurrence, ZoneOf, instant
from shared.calendar.values import Moment

Unsupported = Literal["explode", "notice", "pass"]


@dataclass(frozen=True, slots=True)
class Meeting:
    """What one message of Notes says of one UID. notice_type: X-LOTUS-NOTICETYPE. zone: the one it is told in."""

    uid: str
    components: tuple[Component, ...]
    zone_of: ZoneOf
    zone: tzinfo
    notice_type: str = ""
    sequence: int = 0
    organizer_side: str = ""
    unsupported: Unsupported = "explode"


@dataclass(frozen=True, slots=True)
class Wanted:
    """An instance that Outlook is to have. template: the component that says what it looks like."""

    original: Moment
    occurrence: Occurrence
    template: Component


@dataclass(frozen=True, slots=True)
class Entry:
    """One component to be written: the template at other times.

    apart: the instance that it stands for by itself, None in the series. slot: its RECURRENCE-ID, in UTC or a date.
    rule, excluded, last: of a series; excluded are local slots, last is the last slot, in UTC or a date.
    """

    template: Component
    occurrence: Occurrence
    slot: Moment | None = None
    apart: Moment | None = None
    rule: str = ""
    excluded: tuple[Moment, ...] = ()
    last: Moment | None = None


@dataclass(frozen=True, slots=True)
class Sheet:
    """One calendar to be sent: REQUEST or CANCEL, and its entries, those of one UID."""

    method: Literal["REQUEST", "CANCEL"]
    entries: tuple[Entry, ...]
    zone: tzinfo
    sequence: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What to send, the first in the message itself, and what to remember, None for nothing new.

    is_unsupported: the recurrence cannot be said, and by setting it stays as it is; there are then no sheets.
    """

    sheets: tuple[Sheet, ...] = ()
    series: Series | None = None
    is_unsupported: bool = False


def as_told(one: Wanted) -> Told:
    """Return an instance as told in the series where it is."""
    return Told(one.original, one.occurrence.start, one.occurrence)


def remembered(meeting: Meeting, rule: str, instances: Sequence[Told], sequence: int) -> Series:
    """Return what is to be remembered of a meeting that is told so."""
    return Series(
        uid=meeting.uid,
        organizer_side=meeting.organizer_side,
        instances=tuple(instances),
        rule=rule,
        zone=str(getattr(meeting.zone, "key", "UTC")),
        sequence=sequence,
        source_sequence=meeting.sequence,
    )


def next_sequence(meeting: Meeting, series: Series, told: Series | None) -> int:
    """Return a SEQUENCE that Outlook takes: higher than the last where the times changed (RFC 5546 section 2.1.4)."""
    if told is None:
        return meeting.sequence
    changed = (series.instances, series.rule) != (told.instances, told.rule)
    return max(meeting.sequence, told.sequence + changed)


def single_sheet(one: Wanted, zone: tzinfo, sequence: int) -> Sheet:
    """Return the calendar of the single meeting that stands for an instance."""
    return Sheet("REQUEST", (Entry(one.template, one.occurrence, apart=one.original),), zone, sequence)


def cancel_apart(template: Component, gone: Iterable[Told], zone: tzinfo, sequence: int) -> Iterator[Sheet]:
    """Yield the cancellations of those instances that were told as single meetings."""
    for one in gone:
        if one.is_apart:
            entry = Entry(template, one.occurrence, apart=one.original)
            yield Sheet("CANCEL", (entry,), zone, sequence)


def tail_of(told: Series, slot: Moment) -> Iterator[Told]:
    """Yield the instance that a RECURRENCE-ID names and all that followed it at first, in the order they have now."""
    was = told.find(slot)
    since = instant(was.original if was else slot)
    ordered = sorted(told.instances, key=lambda one: instant(one.occurrence.start))
    return (one for one in ordered if instant(one.original) >= since)
