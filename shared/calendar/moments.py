"""When something is: instants, local times and whole days, and how they change into one another. Pure.

An instant is a datetime in UTC, a local time a naive datetime, a whole day a date. A local time that a change of clocks
skips or repeats is taken with the offset before the change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import TypeVar

from shared.calendar.values import Moment
from shared.errors import MalformedCalendar

_M = TypeVar("_M", datetime, date)


class Floating(tzinfo):
    """The zone of times that are local wherever somebody is (RFC 5545 section 3.3.5): in values they count as UTC."""

    key = "floating"

    def utcoffset(self, _moment: datetime | None) -> timedelta:
        """Return no distance from UTC."""
        return timedelta()

    def dst(self, _moment: datetime | None) -> timedelta:
        """Return no summer time."""
        return timedelta()

    def tzname(self, _moment: datetime | None) -> str:
        """Return its name."""
        return self.key


FLOATING = Floating()
ZoneOf = Callable[[str | None], tzinfo]
"""Gives the zone of a TZID; FLOATING for none."""
ONLY_ZONE = "\0"
"""A TZID that says nothing: a `ZoneOf` gives the only zone that its calendar defines for it, else FLOATING."""


@dataclass(frozen=True, slots=True)
class Occurrence:
    """When one meeting of a series is: two instants in UTC, or two dates, the end not included."""

    start: Moment
    end: Moment


def union(occurrences: Iterable[Occurrence]) -> tuple[Occurrence, ...]:
    """Return the occurrences in order, each once."""
    return tuple(sorted(set(occurrences), key=lambda one: (instant(one.start), instant(one.end))))


def instant(moment: Moment) -> datetime:
    """Return a moment as one that can be compared with any other: dates and local times as if they were UTC."""
    if isinstance(moment, datetime):
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return datetime(moment.year, moment.month, moment.day, tzinfo=UTC)


def to_utc(moment: Moment, zone: tzinfo) -> Moment:
    """Return a local time as an instant; what is one, and a date, as it is.

    Raises MalformedCalendar at the ends of the calendar, the years 1 and 9999.
    """
    if not isinstance(moment, datetime) or moment.tzinfo is UTC:
        return moment
    if moment.tzinfo is None and zone is UTC:
        return moment.replace(tzinfo=UTC)
    return _shown(moment if moment.tzinfo else moment.replace(tzinfo=zone), UTC)


def to_local(moment: Moment, zone: tzinfo) -> Moment:
    """Return an instant as naive local time; a date as it is. Raises as `to_utc`."""
    return _shown(moment, zone).replace(tzinfo=None) if isinstance(moment, datetime) else moment


def _shown(moment: datetime, zone: tzinfo) -> datetime:
    try:
        return moment.astimezone(zone)
    except (OverflowError, ValueError):  # the second is what zoneinfo raises
        raise MalformedCalendar(f"{moment} is out of range") from None


def to_written(moment: Moment, zone: tzinfo) -> Moment:
    """Return an instant as it is written where no TZID is: in UTC, and without a zone for floating times."""
    return moment.replace(tzinfo=None) if zone is FLOATING and isinstance(moment, datetime) else moment


def day_of(moment: Moment, zone: tzinfo) -> date:
    """Return the day that an instant or a local time falls on; a date as it is."""
    local = to_local(moment, zone) if isinstance(moment, datetime) and moment.tzinfo else moment
    return local.date() if isinstance(local, datetime) else local


def after(moment: _M, length: timedelta) -> _M:
    """Return what is `length` later. Raises MalformedCalendar outside the years 1 to 9999."""
    try:
        return moment + length
    except OverflowError:
        raise MalformedCalendar(f"{moment} is out of range") from None
