"""VTIMEZONE components as Outlook and as Notes know them (RFC 5545 section 3.6.5).

Where one pair of yearly rules holds in all the years in use, it is written so, from long ago on: from 1601 as Exchange
does, from 1950 and with the hour repeated as Notes does. Where the rules change between those years, each change of
offset is written by itself: exact, and every reader takes it.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from icalendar import Timezone, TimezoneDaylight, TimezoneStandard

from shared.calendar.zones.find import Years, notes_name, windows_name, years_of
from shared.calendar.zones.rules import FIRST_YEAR, LAST_YEAR, YearlyDay, offset_at, transitions

_WINDOWS_YEAR, _NOTES_YEAR = 1601, 1950
_AROUND = 3  # years to either side, which tell the fourth Sunday from the last
_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


def windows_timezone(zone: ZoneInfo, dates: Iterable[date] = (), name: str | None = None) -> Timezone:
    """Return the VTIMEZONE of a zone for Outlook, right for the dates; its TZID is `windows_name` unless given."""
    used = list(dates)
    return _timezone(zone, years_of(used), name or windows_name(zone, used), _WINDOWS_YEAR)


def notes_timezone(zone: ZoneInfo, dates: Iterable[date] = (), name: str | None = None) -> Timezone:
    """Return the VTIMEZONE of a zone for Notes, right for the dates; its TZID is `notes_name` unless given."""
    used = list(dates)
    return _timezone(zone, years_of(used), name or notes_name(zone, used), _NOTES_YEAR)


@dataclass(frozen=True, slots=True)
class _Change:
    """A change of offset. local: in the time that ends there."""

    instant: datetime
    local: datetime
    before: timedelta
    after: timedelta
    is_daylight: bool


def _span(years: Years) -> tuple[datetime, datetime]:
    """Return the instants between which it is one of the years anywhere; zones change their offset at New Year."""
    return datetime(years[0] - 1, 12, 30, tzinfo=UTC), datetime(years[1] + 1, 1, 3, tzinfo=UTC)


def _changes(zone: ZoneInfo, years: Years) -> Iterator[_Change]:
    start, end = _span(years)
    for year in range(max(years[0] - 1, FIRST_YEAR), min(years[1] + 1, LAST_YEAR) + 1):
        for instant in transitions(zone, year):
            if not start < instant < end:
                continue
            before, after = offset_at(zone, instant - timedelta(seconds=1)), offset_at(zone, instant)
            local = instant.replace(tzinfo=None) + before
            yield _Change(instant, local, before, after, bool(instant.astimezone(zone).dst()))


@lru_cache(maxsize=256)
def _timezone(zone: ZoneInfo, years: Years, name: str, first_year: int) -> Timezone:
    """Return the component, which several calendars may hold: nobody changes it."""
    timezone = Timezone()
    timezone.add("TZID", name)
    for change, day in _parts(zone, years, first_year):
        part = TimezoneDaylight() if change.is_daylight else TimezoneStandard()
        part.add("DTSTART", change.local)
        part.add("TZOFFSETFROM", change.before)
        part.add("TZOFFSETTO", change.after)
        if day:
            part.add("RRULE", _rule(day, change.local, repeats_hour=first_year == _NOTES_YEAR))
        timezone.add_component(part)
    return timezone


@lru_cache(maxsize=256)
def _parts(zone: ZoneInfo, years: Years, first_year: int) -> tuple[tuple[_Change, YearlyDay | None], ...]:
    first, _ = _span(years)
    initial = offset_at(zone, first)
    start = _Change(first, datetime(first_year, 1, 1), initial, initial, bool(first.astimezone(zone).dst()))
    changes = tuple(_changes(zone, years))
    if not changes:
        return ((start, None),)
    wide = tuple(_changes(zone, (years[0] - _AROUND, years[1] + _AROUND)))
    pair = _yearly_pair(wide) or _yearly_pair(changes)
    if pair and len(changes) == 2 * (years[1] - years[0] + 1) and initial == min(changes, key=_instant).before:
        return tuple(
            (
                _Change(
                    one.instant,
                    day.in_year(first_year) + (one.local - datetime(*one.local.timetuple()[:3])),
                    one.before,
                    one.after,
                    one.is_daylight,
                ),
                day,
            )
            for one, day in sorted(pair, key=lambda item: item[0].is_daylight)
        )
    return ((start, None), *((change, None) for change in changes))


def _instant(change: _Change) -> datetime:
    return change.instant


def _yearly_pair(changes: Sequence[_Change]) -> list[tuple[_Change, YearlyDay]] | None:
    """Return the two yearly rules that all the changes follow."""
    kinds: dict[tuple[timedelta, timedelta, bool], list[_Change]] = {}
    for change in changes:
        kinds.setdefault((change.before, change.after, change.is_daylight), []).append(change)
    if len(kinds) != 2 or len({one.is_daylight for one in changes}) != 2:
        return None
    days = [(alike[-1], _yearly_day(alike)) for alike in kinds.values()]
    return [(change, day) for change, day in days if day] if all(day for _, day in days) else None


def _yearly_day(changes: Sequence[_Change]) -> YearlyDay | None:
    """Return the day on which all of them happen, one in each year, at one time of the day."""
    first = changes[0].local
    alike = {(one.local.month, one.local.weekday(), one.local.time()) for one in changes}
    if len(alike) != 1 or len({one.local.year for one in changes}) != len(changes):
        return None
    weeks = [(one.local.day - 1) // 7 + 1 for one in changes]
    if all(one.local.day + 7 > monthrange(one.local.year, one.local.month)[1] for one in changes):
        return YearlyDay(first.month, first.weekday(), -1)
    return YearlyDay(first.month, first.weekday(), weeks[0]) if len(set(weeks)) == 1 and weeks[0] < 5 else None


def _rule(day: YearlyDay, local: datetime, *, repeats_hour: bool) -> dict[str, list[str | int]]:
    weekday = f"{day.week}{_DAYS[day.weekday or 0]}"
    hour: dict[str, list[str | int]] = {"BYMINUTE": [local.minute], "BYHOUR": [local.hour]} if repeats_hour else {}
    return {"FREQ": ["YEARLY"], **hour, "BYDAY": [weekday], "BYMONTH": [day.month]}
