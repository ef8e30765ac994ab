"""Time zones of calendar entries: what a message calls a zone, the zone of tzdata, what the other side calls it.

A name that is known goes before the rules beside it, since those are often ancient: Notes 6 has the US rules from
before 2007, Exchange the rules of the sender's last update. Only where name and rules are more than two hours apart do
the rules count (`Samoa` changed sides of the date line; people give their own zones known names). An unknown name is
matched by its rules: with tzdata in the years in use, then with what tzdata says of earlier years, and where nothing
matches the zone is built of the rules themselves.

`dates` are those that the entry uses, in any order: the years between the first and the last count.

Quirks: `GMT` of Notes has London's summer time, `GMT` of others has none; `$ZN` strings count hours west of Greenwich.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from tzlocal.windows_tz import win_tz

from shared.calendar.zones.names import (
    STANDARD,
    iana_name,
    notes_names,
    offset_named,
    plain,
    windows_name_of,
    windows_names,
)
from shared.calendar.zones.rules import (
    FIRST_YEAR,
    LAST_YEAR,
    MAX_OFFSET,
    Observance,
    YearlyDay,
    built_zone,
    observances,
    offset_at,
    transitions,
)

__all__ = ["Switch", "ZoneRules", "from_rules", "notes_name", "windows_name", "years_of", "zone_of", "zones_of"]

Years = tuple[int, int]

_WITHOUT_DATES: Years = (2015, 2030)
_MOST_YEARS = 90  # of a series that is longer, the rest follows the same rules
_STALE_YEARS = (2000, 2006, 2010, 2014, 2018, 2022)  # between them, rules changed in many countries
_APART = timedelta(hours=2)  # stale rules of one zone differ by no more
_MOST_DEFINED = 20  # zones of one calendar
_NAMELESS = "Customized Time Zone"  # what Microsoft calls a zone that has only rules

_DOLLAR = re.compile(r"\$?(Z|DO|DL|ZN|ZX)=([^$]*)")


@dataclass(frozen=True, slots=True)
class Switch:
    """When an offset begins each year, as Windows says it (SYSTEMTIME of MS-OXOCAL section 2.2.1.41).

    week: 1 to 4, 5 is the last. weekday: 0 is Sunday. year: not 0 for a day of that year only; week is then the day of
    the month.
    """

    month: int
    week: int
    weekday: int
    hour: int = 0
    minute: int = 0
    year: int = 0


@dataclass(frozen=True, slots=True)
class ZoneRules:
    """The rules of a zone as Windows says them. Biases are minutes: UTC is local time plus bias plus the one in force.

    first_year: from which year on these rules hold.
    """

    bias: int
    standard_bias: int = 0
    daylight_bias: int = -60
    standard: Switch | None = None
    daylight: Switch | None = None
    first_year: int = 1601


def years_of(dates: Iterable[date]) -> Years:
    """Return the first and the last year of the dates (datetimes too), both within what zones are known for."""
    years = [min(max(year, FIRST_YEAR), LAST_YEAR) for year in {one.year for one in dates}]
    return (min(years), min(max(years), min(years) + _MOST_YEARS)) if years else _WITHOUT_DATES


def zone_of(name: str, timezone: Any | None = None, dates: Iterable[date] = ()) -> ZoneInfo | None:
    """Return the zone that a message calls `name`, right for the dates; None for an unknown name that says no offset.

    name: a TZID as written, quoted or escaped or not, or a Notes string `Z=…$DO=…$DL=…$ZN=…`. timezone: the VTIMEZONE
    component of that name. A zone that is none of tzdata has the name as its key.
    """
    return _zone(name, observances(timezone) if timezone is not None else (), years_of(dates))


def zones_of(calendar: Any, dates: Iterable[date] = ()) -> dict[str, ZoneInfo]:
    """Return the zones that a calendar component defines or mentions, by TZID as `plain` writes it.

    What is beyond the first twenty VTIMEZONEs goes by its name alone: to match rules takes time.
    """
    used = list(dates)
    defined = {plain(str(one.get("TZID", ""))): one for one in calendar.walk("VTIMEZONE")[:_MOST_DEFINED]}
    mentioned = dict.fromkeys([*(str(one.get("TZID", "")) for one in defined.values()), *_mentioned(calendar)])
    zones = {plain(name): zone_of(name, defined.get(plain(name)), used) for name in mentioned if name}
    return {name: zone for name, zone in zones.items() if zone}


def from_rules(name: str, rules: Sequence[ZoneRules], dates: Iterable[date] = ()) -> ZoneInfo:
    """Return the zone that MAPI structures describe (MS-OXOCAL sections 2.2.1.39 to 2.2.1.43).

    name: the key name beside the rules, or "". rules: one or more, by first_year. Raises ValueError for no rules, and
    for such as make no sense.
    """
    try:
        found = _zone(name, tuple(_windows_observances(rules)), years_of(dates))
    except OverflowError as error:
        raise ValueError(f"a time zone out of range: {error}") from error
    if found is None:
        raise ValueError("a time zone without rules")
    return found


def windows_name(zone: ZoneInfo, dates: Iterable[date] = ()) -> str:
    """Return the Windows name of the zone, or of one with the same offsets; its own key where there is none."""
    return _windows_name(zone, years_of(dates))


def notes_name(zone: ZoneInfo, dates: Iterable[date] = ()) -> str:
    """Return the name that Notes knows for the zone, or for one with the same offsets; its own key else."""
    return _notes_name(zone, years_of(dates))


def _mentioned(calendar: Any) -> Iterator[str]:
    for component in calendar.walk():
        for name in component.sorted_keys():
            values = component[name]
            for value in values if isinstance(values, list) else (values,):
                parameters: Mapping[str, Any] = getattr(value, "params", {})
                if parameters and "TZID" in parameters:
                    yield str(parameters["TZID"])


@lru_cache(maxsize=512)
def _zone(name: str, rules: tuple[Observance, ...], years: Years) -> ZoneInfo | None:
    if "Z=" in name and (told := dict(_DOLLAR.findall(name))).get("Z"):
        name, rules = told.get("ZN", "").strip() or name, rules or _dollar_observances(told)
    iana = iana_name(name)
    if iana and not rules:
        return ZoneInfo(iana)
    if not rules:
        offset = offset_named(name)
        if offset is None:
            return None
        rules = (Observance(datetime(1970, 1, 1), offset, offset, is_daylight=False),)
    built = built_zone(rules, _NAMELESS if iana or not name else name)
    if iana and plain(name) == "gmt" and len({rule.offset_to for rule in rules}) == 1:
        iana = "Etc/GMT"
    if iana and _furthest(ZoneInfo(iana), built, years) <= _APART:
        return ZoneInfo(iana)
    return _matching(built, years) or _stale(built, years) or built


@lru_cache(maxsize=64)
def _probes(zone: ZoneInfo, years: Years) -> tuple[tuple[datetime, timedelta], ...]:
    """Return instants that tell zones apart, and the offset at each: one of a summer first, since it tells most.

    They are twice a month, both sides of each change, and where it is one of the years somewhere.
    """
    first, last = years
    instants = [datetime(first, 7, 1, tzinfo=UTC), datetime(first - 1, 12, 30, tzinfo=UTC)]
    for year in range(first, last + 1):
        instants += [datetime(year, month, day, tzinfo=UTC) for month in range(1, 13) for day in (1, 15)]
        for onset in transitions(zone, year):
            instants += [onset, onset - timedelta(seconds=1)]
    instants.append(datetime(last + 1, 1, 2, tzinfo=UTC))
    return tuple((instant, offset_at(zone, instant)) for instant in instants)


def _furthest(zone: ZoneInfo, other: ZoneInfo, years: Years) -> timedelta:
    return max(abs(offset - offset_at(other, at)) for at, offset in _probes(zone, years))


@lru_cache(maxsize=1024)
def _are_equal(zone: ZoneInfo, other: ZoneInfo, years: Years) -> bool:
    return all(offset == offset_at(other, at) for at, offset in _probes(zone, years))


def _matching(zone: ZoneInfo, years: Years) -> ZoneInfo | None:
    candidates = (ZoneInfo(win_tz[name]) for name in windows_names())
    return next((candidate for candidate in candidates if _are_equal(zone, candidate, years)), None)


def _stale(built: ZoneInfo, years: Years) -> ZoneInfo | None:
    """Return the zone whose earlier rules these are; years without daylight time have nothing to know it by."""
    earlier = (year for year in _STALE_YEARS if year < years[0] and len(transitions(built, year)) == 2)
    return next((zone for zone in (_matching(built, (year, year)) for year in earlier) if zone), None)


@lru_cache(maxsize=256)
def _windows_name(zone: ZoneInfo, years: Years) -> str:
    name = windows_name_of(zone.key)
    if name in windows_names() and _are_equal(zone, ZoneInfo(win_tz[name]), years):
        return name
    same = (name for name in windows_names() if _are_equal(zone, ZoneInfo(win_tz[name]), years))
    return next(same, zone.key)


@lru_cache(maxsize=256)
def _notes_name(zone: ZoneInfo, years: Years) -> str:
    stem = (windows_name_of(zone.key) or zone.key).removesuffix(STANDARD)
    known = notes_names()
    if stem in known and _are_equal(zone, ZoneInfo(known[stem]), years):
        return stem
    preferred = (name.removesuffix(STANDARD) for name in windows_names())
    same = (name for name in preferred if name in known and _are_equal(zone, ZoneInfo(known[name]), years))
    return next(same, zone.key)


def _dollar_observances(told: dict[str, str]) -> tuple[Observance, ...]:
    """Return the rules of a Notes string: hours west, minutes before them (`3004` is 4:30, `-3005` is -5:30).

    DL is month, week, weekday (1 is Sunday) of the start, then of the end; both at two o'clock.
    """
    try:
        west = int(told["Z"])
        bias = (abs(west) // 100 + abs(west) % 100 * 60) * (1 if west > 0 else -1)
        numbers = [int(number) for number in told.get("DL", "").split()] if told.get("DO") == "1" else []
        switches = [Switch(month, week % 6, day - 1, 2) for month, week, day in zip(*[iter(numbers)] * 3, strict=False)]
        daylight, standard = switches if len(switches) == 2 else (None, None)
        return tuple(_windows_observances([ZoneRules(bias, daylight=daylight, standard=standard)]))
    except (ValueError, OverflowError):
        return ()


def _windows_observances(rules: Sequence[ZoneRules]) -> Iterator[Observance]:
    ordered = sorted(rules, key=lambda rule: rule.first_year)
    for at, rule in enumerate(ordered):
        start = datetime(max(rule.first_year, 1601), 1, 1)
        until = datetime(ordered[at + 1].first_year, 1, 1) if at + 1 < len(ordered) else None
        standard = timedelta(minutes=-(rule.bias + rule.standard_bias))
        daylight = timedelta(minutes=-(rule.bias + rule.daylight_bias))
        if max(abs(standard), abs(daylight)) > MAX_OFFSET:
            raise ValueError(f"{standard} or {daylight} is no offset from UTC")
        if not (rule.standard and rule.daylight) or not rule.standard.month or not rule.daylight.month:
            yield Observance(start, standard, standard, is_daylight=False)
            continue
        is_southern = rule.daylight.month > rule.standard.month
        before = daylight if is_southern else standard
        yield Observance(start, before, before, is_southern)
        yield _switched(rule.daylight, start, until, standard, daylight, is_daylight=True)
        yield _switched(rule.standard, start, until, daylight, standard, is_daylight=False)


def _switched(
    switch: Switch, start: datetime, until: datetime | None, before: timedelta, after: timedelta, *, is_daylight: bool
) -> Observance:
    time_of_day = timedelta(hours=switch.hour, minutes=switch.minute)
    if switch.year:
        onset = YearlyDay(switch.month, day=switch.week).in_year(switch.year) + time_of_day
        return Observance(onset, before, after, is_daylight)
    day = YearlyDay(switch.month, (switch.weekday - 1) % 7, -1 if switch.week == 5 else switch.week)
    return Observance(day.in_year(start.year) + time_of_day, before, after, is_daylight, day, time_of_day, until)
