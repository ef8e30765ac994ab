"""The rules of a time zone, as a calendar carries them, made into a zone that can be asked.

A VTIMEZONE (RFC 5545 section 3.6.5), a Notes string and the MAPI structures all say the same: from when on which offset
holds. `Observance` is that; `built_zone` makes a `ZoneInfo` of them, so that what follows needs to know one kind of
zone. Only yearly rules are understood, which is all that any client writes; whatever the text, the work is bounded.

Quirks: Notes writes the hour twice (`BYMINUTE=0;BYHOUR=2`); Exchange starts in 1601, Notes in 1950; Apple writes
`BYDAY=SU;BYMONTHDAY=8,9,10,11,12,13,14` for the second Sunday.
"""

from __future__ import annotations

import re
import struct
from calendar import monthrange
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from io import BytesIO
from typing import Any
from zoneinfo import ZoneInfo

FIRST_YEAR, LAST_YEAR = 1970, 2100  # of a zone that is built: what lies outside has the offset at that end
MAX_OFFSET = timedelta(hours=18)
_MAX_OBSERVANCES = 200
_EPOCH = datetime(1970, 1, 1)
_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_BY_DAY = re.compile(r"([+-]?\d)?(MO|TU|WE|TH|FR|SA|SU)")


@dataclass(frozen=True, slots=True)
class YearlyDay:
    """One day of every year.

    weekday: 0 is Monday; None for the same date each year. week: 1 to 4, -1 is the last. day: of the month, where there
    is no weekday; with one, the first day that it can fall on (week is then 0).
    """

    month: int
    weekday: int | None = None
    week: int = 0
    day: int = 1

    def in_year(self, year: int) -> datetime:
        """Return that day's midnight; a day that the month lacks is its last."""
        length = monthrange(year, self.month)[1]
        if self.weekday is None:
            return datetime(year, self.month, min(self.day, length))
        if self.week < 0:
            last = datetime(year, self.month, length)
            return last - timedelta((last.weekday() - self.weekday) % 7 + 7 * (-1 - self.week))
        first = datetime(year, self.month, min(self.day, length) if self.week == 0 else 1)
        return first + timedelta((self.weekday - first.weekday()) % 7 + 7 * max(self.week - 1, 0))


@dataclass(frozen=True, slots=True)
class Observance:
    """An offset, and when it comes into force.

    start: the first onset, in local time before it. offsets: minutes east of UTC. time_of_day, day: of each yearly
    onset; no day for an onset that does not come again. until: the last onset, in UTC, where there is one.
    """

    start: datetime
    offset_from: timedelta
    offset_to: timedelta
    is_daylight: bool
    day: YearlyDay | None = None
    time_of_day: timedelta = timedelta()
    until: datetime | None = None

    def onsets(self) -> Iterator[datetime]:
        """Yield its onsets in UTC, the first one and those from FIRST_YEAR to LAST_YEAR."""
        yield self.start - self.offset_from
        if self.day:
            for year in range(max(FIRST_YEAR, self.start.year), LAST_YEAR + 1):
                local = self.day.in_year(year) + self.time_of_day
                onset = local - self.offset_from
                if local > self.start and not (self.until and onset > self.until):
                    yield onset


def observances(timezone: Any) -> tuple[Observance, ...]:
    """Return what a VTIMEZONE component says; parts of it that make no sense are passed over."""
    found: list[Observance] = []
    for component in list(timezone.subcomponents)[:_MAX_OBSERVANCES]:
        try:
            found += _of_component(component)
        except (AttributeError, KeyError, ValueError, TypeError, IndexError, OverflowError):
            continue
    return tuple(found[:_MAX_OBSERVANCES])


def _of_component(component: Any) -> Iterator[Observance]:
    start = component["DTSTART"].dt.replace(tzinfo=None)
    before, after = component["TZOFFSETFROM"].td, component["TZOFFSETTO"].td
    if not 1 < start.year < 9999 or max(abs(before), abs(after)) > MAX_OFFSET:
        return
    is_daylight = component.name == "DAYLIGHT"
    rules = component.get("RRULE", [])
    for rule in rules if isinstance(rules, list) else [rules]:
        parts = {
            key.upper(): value
            for key, _, value in (part.partition("=") for part in rule.to_ical().decode().upper().split(";"))
        }
        yield Observance(start, before, after, is_daylight, *_yearly(parts, start), _until(parts))
    dates = component.get("RDATE", [])
    for date_list in dates if isinstance(dates, list) else [dates]:
        for one in date_list.dts[:_MAX_OBSERVANCES]:
            yield Observance(one.dt.replace(tzinfo=None), before, after, is_daylight)
    if not rules:
        yield Observance(start, before, after, is_daylight)


def _yearly(parts: dict[str, str], start: datetime) -> tuple[YearlyDay | None, timedelta]:
    hour, minute = int(parts.get("BYHOUR", start.hour)), int(parts.get("BYMINUTE", start.minute))
    time_of_day = timedelta(hours=hour, minutes=minute, seconds=start.second)
    if parts.get("FREQ") != "YEARLY" or parts.get("INTERVAL", "1") != "1":
        return None, time_of_day
    month = int(parts.get("BYMONTH", start.month))
    days = [int(day) for day in parts.get("BYMONTHDAY", "").split(",") if day]
    if not 1 <= month <= 12 or not all(1 <= day <= 31 for day in days):
        return None, time_of_day
    named = _BY_DAY.fullmatch(parts.get("BYDAY", ""))
    if not named:
        return YearlyDay(month, day=days[0] if days else start.day), time_of_day
    weekday, week = _DAYS.index(named[2]), int(named[1] or parts.get("BYSETPOS", "0"))
    if days or not week:
        return YearlyDay(month, weekday, 0, min(days, default=1)), time_of_day
    return YearlyDay(month, weekday, -1 if week == 5 else week), time_of_day


def _until(parts: dict[str, str]) -> datetime | None:
    if text := parts.get("UNTIL"):
        return datetime.strptime(text[:15] if "T" in text else f"{text}T235959", "%Y%m%dT%H%M%S")
    return None


@lru_cache(maxsize=256)
def built_zone(rules: tuple[Observance, ...], name: str) -> ZoneInfo:
    """Return a zone of that name which follows the rules. Raises ValueError for no rules."""
    if not rules:
        raise ValueError(f"no rules for {name!r}")
    onsets = sorted({(onset, rule.offset_to, rule.is_daylight) for rule in rules for onset in rule.onsets()})
    first = min(rules, key=lambda rule: rule.start)
    initial = (first.offset_to if first.start.year < FIRST_YEAR else first.offset_from, False)
    kinds = list(dict.fromkeys([initial, *((offset, is_daylight) for _, offset, is_daylight in onsets)]))
    times = [(onset - _EPOCH) // timedelta(seconds=1) for onset, _, _ in onsets]
    numbers = {kind: number for number, kind in enumerate(kinds)}
    indexes = [numbers[offset, is_daylight] for _, offset, is_daylight in onsets]
    return ZoneInfo.from_file(BytesIO(_tzif(times, indexes, kinds)), key=name)


def _tzif(times: Sequence[int], indexes: Sequence[int], kinds: Sequence[tuple[timedelta, bool]]) -> bytes:
    """Return a time-zone file (RFC 8536): an empty first block, a second one of 64-bit times, no footer rule."""
    names = b"LMT\0"
    empty = struct.pack(">4sc15x6l", b"TZif", b"2", 0, 0, 0, 0, 1, len(names)) + struct.pack(">lbb", 0, 0, 0) + names
    header = struct.pack(">4sc15x6l", b"TZif", b"2", 0, 0, 0, len(times), len(kinds), len(names))
    types = b"".join(struct.pack(">lbb", offset // timedelta(seconds=1), daylight, 0) for offset, daylight in kinds)
    return empty + header + struct.pack(f">{len(times)}q", *times) + bytes(indexes) + types + names + b"\n\n"


@lru_cache(maxsize=512)
def transitions(zone: ZoneInfo, year: int) -> tuple[datetime, ...]:
    """Return when the offset of a zone changes in a year: the first instants with the new offset, in UTC."""
    found: list[datetime] = []
    at = datetime(year, 1, 1, tzinfo=UTC)
    end = datetime(year + 1, 1, 1, tzinfo=UTC)
    while at < end:
        after = min(at + timedelta(days=7), end)
        if offset_at(zone, at) != offset_at(zone, after):
            low, high = at, after
            while high - low > timedelta(seconds=1):
                middle = low + (high - low) // 2 // timedelta(seconds=1) * timedelta(seconds=1)
                low, high = (middle, high) if offset_at(zone, middle) == offset_at(zone, at) else (low, middle)
            found.append(high)
        at = after
    return tuple(found)


def offset_at(zone: ZoneInfo, instant: datetime) -> timedelta:
    """Return the offset of a zone at an instant, east of UTC."""
    return instant.astimezone(zone).utcoffset() or timedelta()
