"""Time zones as Outlook stores them in a meeting, and as Outlook writes them into iCalendar.

Two forms: the definition with a Windows name and a rule for each span of years (MS-OXOCAL section 2.2.1.41, PidLid
0x825E, 0x825F, 0x8260), of which one is marked as effective; and the bare rule (section 2.2.1.39, PidLid 0x8233), whose
name is in another property. One rule is used for everything, so that the times and the VTIMEZONE beside them agree.
"""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

import icalendar

from services.transform.tnef.cursor import Cursor, CutShort

_WEEKDAYS = ("SU", "MO", "TU", "WE", "TH", "FR", "SA")
_EFFECTIVE = 0x0002  # TZRULE_FLAG_EFFECTIVE_TZREG
_HAS_GUID, _HAS_NAME = 0x0001, 0x0002
_MAX_OFFSET_MINUTES = 16 * 60
_FIRST_YEAR = 1601


@dataclass(frozen=True, slots=True)
class Switch:
    """When a zone changes its offset, each year: a SYSTEMTIME with no year (MS-OXOCAL section 2.2.1.39).

    weekday: 0 for Sunday. week: 1 to 4, and 5 for the last; with an absolute date, the day of the month.
    """

    month: int
    weekday: int
    week: int
    hour: int
    minute: int
    is_absolute: bool = False

    def in_year(self, year: int) -> datetime:
        """Return the local time of the switch, by the clock before it."""
        length = monthrange(year, self.month)[1]
        if self.is_absolute:
            day = min(self.week, length)
        else:
            first = datetime(year, self.month, 1).isoweekday() % 7
            day = 1 + (self.weekday - first) % 7 + 7 * (self.week - 1)
            while day > length:
                day -= 7
        return datetime(year, self.month, day, self.hour, self.minute)

    def rrule(self) -> dict[str, object]:
        """Return when it happens as a rule of iCalendar."""
        if self.is_absolute:
            return {"FREQ": "YEARLY", "INTERVAL": 1, "BYMONTHDAY": self.week, "BYMONTH": self.month}
        week = -1 if self.week == 5 else self.week
        return {"FREQ": "YEARLY", "INTERVAL": 1, "BYDAY": f"{week}{_WEEKDAYS[self.weekday]}", "BYMONTH": self.month}


@dataclass(frozen=True, slots=True)
class Zone:
    """A time zone with one rule. standard, daylight: offsets from UTC; without switches standard time is all year."""

    name: str
    standard: timedelta
    daylight: timedelta = timedelta()
    to_standard: Switch | None = None
    to_daylight: Switch | None = None

    def to_local(self, moment: datetime) -> datetime:
        """Return what the clocks show (no tzinfo) at a moment in UTC."""
        moment = moment.astimezone(UTC).replace(tzinfo=None)
        if self.to_standard and self.to_daylight:
            year = (moment + self.standard).year
            summer = self.to_daylight.in_year(year) - self.standard
            winter = self.to_standard.in_year(year) - self.daylight
            is_summer = summer <= moment < winter if summer < winter else not winter <= moment < summer
            return moment + (self.daylight if is_summer else self.standard)
        return moment + self.standard

    def to_utc(self, local: datetime) -> datetime:
        """Return the moment that the clocks show as `local`; the first one where they show it twice."""
        for offset in (self.daylight, self.standard):
            moment = (local - offset).replace(tzinfo=UTC)
            if self.to_local(moment) == local:
                return moment
        return (local - self.standard).replace(tzinfo=UTC)

    def component(self) -> icalendar.Timezone:
        """Return the VTIMEZONE, from the year 1601 on, as Outlook writes it."""
        zone = icalendar.Timezone()
        zone.add("TZID", self.name)
        halves: list[
            tuple[icalendar.TimezoneStandard | icalendar.TimezoneDaylight, timedelta, timedelta, Switch | None]
        ]
        if self.to_standard and self.to_daylight:
            halves = [
                (icalendar.TimezoneStandard(), self.daylight, self.standard, self.to_standard),
                (icalendar.TimezoneDaylight(), self.standard, self.daylight, self.to_daylight),
            ]
        else:
            halves = [(icalendar.TimezoneStandard(), self.standard, self.standard, None)]
        for half, before, after, switch in halves:
            clock = timedelta(hours=switch.hour, minutes=switch.minute) if switch else timedelta()
            half.add("DTSTART", datetime(_FIRST_YEAR, 1, 1) + clock)
            half.add("TZOFFSETFROM", before)
            half.add("TZOFFSETTO", after)
            if switch:
                half.add("RRULE", switch.rrule())
            zone.add_component(half)
        return zone


def fixed(offset: timedelta) -> Zone:
    """Return a zone that is always as far from UTC."""
    if not offset:
        return Zone("UTC", offset)
    return Zone(str(timezone(offset)), offset)


def read_definition(octets: bytes, year: int) -> Zone | None:
    """Return the zone of a definition: its effective rule, else the one for `year`; None where it cannot be read."""
    try:
        cursor = Cursor(octets)
        major, _minor, size = cursor.u8(), cursor.u8(), cursor.u16()
        if major != 2:
            return None
        header = Cursor(cursor.take(size))
        flags = header.u16()
        if flags & _HAS_GUID:
            header.guid()
        name = header.utf16(header.u16()).strip("\0 ") if flags & _HAS_NAME else ""
        rules: list[tuple[bool, int, Zone | None]] = []
        for _ in range(header.u16()):
            cursor.take(2)
            rule = Cursor(cursor.take(cursor.u16()))
            effective, since = bool(rule.u16() & _EFFECTIVE), rule.u16()
            rule.take(14)
            biases = rule.i32(), rule.i32(), rule.i32()
            rules.append((effective, since, _zone(name, biases, rule.take(16), rule.take(16))))
    except CutShort:
        return None
    readable = [(effective, since, zone) for effective, since, zone in rules if zone]
    if not readable or not name:
        return None
    by_year = [zone for _, since, zone in readable if since <= year]
    return next((zone for effective, _, zone in readable if effective), (by_year or [readable[0][2]])[-1])


def read_rule(octets: bytes, name: str) -> Zone | None:
    """Return the zone of a bare rule, or None where it cannot be read."""
    try:
        cursor = Cursor(octets)
        biases = cursor.i32(), cursor.i32(), cursor.i32()
        cursor.take(2)
        standard = cursor.take(16)
        cursor.take(2)
        zone = _zone(name, biases, standard, cursor.take(16))
    except CutShort:
        return None
    return zone if zone and zone.name else None


def _zone(name: str, biases: tuple[int, int, int], standard: bytes, daylight: bytes) -> Zone | None:
    """Biases are minutes to be added to local time, so their signs are those of iCalendar turned round."""
    bias, standard_bias, daylight_bias = biases
    winter, summer = -(bias + standard_bias), -(bias + daylight_bias)
    if max(abs(winter), abs(summer)) > _MAX_OFFSET_MINUTES:
        return None
    to_standard, to_daylight = _switch(standard), _switch(daylight)
    name = "".join(letter for letter in name if letter.isprintable()).replace('"', "'")
    if not to_standard or not to_daylight:
        return Zone(name, timedelta(minutes=winter))
    return Zone(name, timedelta(minutes=winter), timedelta(minutes=summer), to_standard, to_daylight)


def _switch(octets: bytes) -> Switch | None:
    cursor = Cursor(octets)
    year, month, weekday, day, hour, minute = (cursor.u16() for _ in range(6))
    if not 1 <= month <= 12 or weekday > 6 or hour > 23 or minute > 59 or not 1 <= day <= (31 if year else 5):
        return None
    return Switch(month, weekday, day, hour, minute, is_absolute=bool(year))
