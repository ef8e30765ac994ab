"""The recurrence of a meeting or task, from its binary form (MS-OXOCAL section 2.2.1.44) to a rule of iCalendar.

All times in it are minutes of local time since 1601. Outlook's rules mean what Outlook does: the 30th of a month that
is shorter is its last day, so that rule is written as "the last of the 28th to the 30th" (and the 31st as the last).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Literal

from services.transform.tnef import codepage as codepages
from services.transform.tnef.cursor import Cursor, CutShort

_EPOCH = datetime(1601, 1, 1)
_GREGORIAN = frozenset((0, 1, 2, 9, 10, 11, 12))  # section 2.2.1.44.1.2: the others are lunar
_FREQUENCIES = frozenset((0x200A, 0x200B, 0x200C, 0x200D))
_YEARLY = 0x200D
_DAY, _WEEK, _MONTH, _MONTH_NTH, _MONTH_END = range(5)
_UNTIL, _COUNT = 0x2021, 0x2022
_WEEKDAYS = ("SU", "MO", "TU", "WE", "TH", "FR", "SA")
_MAX_INSTANCES = 10_000
_MAX_COUNT = 99_999  # Outlook allows 999

# OverrideFlags of an exception (section 2.2.1.44.2): which fields follow.
_SUBJECT, _TYPE, _REMINDER_DELTA, _REMINDER, _LOCATION = 0x1, 0x2, 0x4, 0x8, 0x10
_BUSY, _ATTACHMENT, _ALL_DAY, _COLOUR = 0x20, 0x40, 0x80, 0x100
_EXTENDED_SINCE = 0x3009


@dataclass(frozen=True, slots=True)
class Changed:
    """An occurrence unlike the others, all times local. None where it is as in the series."""

    start: datetime
    end: datetime
    original_start: datetime
    subject: str | None = None
    location: str | None = None
    busy_status: int | None = None
    is_all_day: bool | None = None
    flags: int = 0


@dataclass(frozen=True, slots=True)
class Recurrence:
    """A pattern. unit: of `interval`. days: weekdays as in iCalendar. week: 1 to 5 (last). deleted: original days."""

    unit: Literal["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]
    interval: int
    days: tuple[str, ...]
    month_day: int
    week: int
    week_start: str
    count: int | None
    until: date | None
    start: date
    start_of_day: timedelta
    deleted: tuple[date, ...]
    changed: tuple[Changed, ...]

    def rrule(self, until: datetime | date | None) -> dict[str, object]:
        """Return the rule. until: the moment of the last occurrence, if `self.until` is its day."""
        rule: dict[str, object] = {"FREQ": self.unit}
        if self.count is not None:
            rule["COUNT"] = self.count
        elif until is not None:
            rule["UNTIL"] = until
        rule["INTERVAL"] = self.interval
        if self.unit == "WEEKLY":
            rule |= {"BYDAY": list(self.days), "WKST": self.week_start}
        elif self.week:
            last = -1 if self.week == 5 else self.week
            rule |= {"BYDAY": f"{last}{self.days[0]}"} if len(self.days) == 1 else {}
            rule |= {"BYDAY": list(self.days), "BYSETPOS": last} if len(self.days) > 1 else {}
        elif self.month_day > 30:
            rule["BYMONTHDAY"] = -1
        elif self.month_day > 28:
            rule |= {"BYMONTHDAY": list(range(28, self.month_day + 1)), "BYSETPOS": -1}
        elif self.month_day:
            rule["BYMONTHDAY"] = self.month_day
        if self.unit == "YEARLY":
            rule["BYMONTH"] = self.start.month
        return rule

    @property
    def removed(self) -> tuple[date, ...]:
        """The days of occurrences that do not take place; those that were only changed are not among them."""
        kept = {changed.original_start.date() for changed in self.changed}
        return tuple(day for day in self.deleted if day not in kept)


def read_recurrence(octets: bytes, codepage: int = 1252) -> Recurrence:
    """Return the recurrence of a meeting or task. Raises ValueError for one that is cut short or cannot be expressed.

    codepage: of the changed subjects, unless they are also given as Unicode. A task's form ends before the exceptions.
    """
    cursor = Cursor(octets)
    try:
        pattern = _pattern(cursor)
        if cursor.left < 16:
            return pattern
        cursor.take(4)
        extended_since, start, _end = cursor.u32(), cursor.u32(), cursor.u32()
        if start >= 48 * 60:
            raise ValueError(f"an occurrence that starts {start} minutes after midnight")
        changed = [_exception(cursor, codepage) for _ in range(_bounded(cursor.u16()))]
    except CutShort as error:
        raise ValueError(f"recurrence cut short: {error}") from None
    return replace(
        pattern,
        start_of_day=timedelta(minutes=start),
        changed=_in_unicode(cursor, changed, extended_since >= _EXTENDED_SINCE),
    )


def _pattern(cursor: Cursor) -> Recurrence:
    """Read the RecurrencePattern (section 2.2.1.44.1)."""
    cursor.take(4)
    frequency, pattern, calendar = cursor.u16(), cursor.u16(), cursor.u16()
    if frequency not in _FREQUENCIES or pattern > _MONTH_END or calendar not in _GREGORIAN:
        raise ValueError(f"recurrence of frequency {frequency:#x}, pattern {pattern:#x}, calendar {calendar:#x}")
    cursor.take(4)
    period, sliding = cursor.u32(), cursor.u32()
    if sliding:
        raise ValueError("recurrence relative to the completion of the last occurrence")
    days: tuple[str, ...] = ()
    month_day = week = 0
    if pattern in (_WEEK, _MONTH_NTH):
        mask = cursor.u32()
        days = tuple(day for bit, day in enumerate(_WEEKDAYS) if mask >> bit & 1)
        week = cursor.u32() if pattern == _MONTH_NTH else 0
    elif pattern != _DAY:
        month_day = cursor.u32() if pattern == _MONTH else (cursor.u32() and 31)
    unit: Literal["DAILY", "WEEKLY", "MONTHLY", "YEARLY"] = "WEEKLY" if pattern == _WEEK else "MONTHLY"
    interval = period
    if pattern == _DAY:
        unit, interval = "DAILY", period // (24 * 60)
    elif frequency == _YEARLY and period % 12 == 0:
        unit, interval = "YEARLY", period // 12
    nth_is_wrong = pattern == _MONTH_NTH and not 1 <= week <= 5
    if not 1 <= interval <= 999 or month_day > 31 or nth_is_wrong or (pattern in (_WEEK, _MONTH_NTH) and not days):
        raise ValueError("recurrence exceeds the limits")
    if pattern == _MONTH_END:
        month_day = 31
    elif pattern == _MONTH and not month_day:
        raise ValueError("recurrence on no day of the month")
    ends, count, first_weekday = cursor.u32(), cursor.u32(), cursor.u32()
    if ends == _COUNT and not 1 <= count <= _MAX_COUNT:
        raise ValueError(f"recurrence of {count} occurrences")
    deleted = tuple(_time(cursor.u32()).date() for _ in range(_bounded(cursor.u32())))
    cursor.take(4 * _bounded(cursor.u32()))  # the new days of changed occurrences, which the exceptions contain too
    start, end = _time(cursor.u32()).date(), _time(cursor.u32()).date()
    return Recurrence(
        unit=unit,
        interval=interval,
        days=days,
        month_day=month_day,
        week=week,
        week_start=_WEEKDAYS[first_weekday % 7],
        count=count if ends == _COUNT else None,
        until=end if ends == _UNTIL else None,
        start=start,
        start_of_day=timedelta(),
        deleted=deleted,
        changed=(),
    )


def _exception(cursor: Cursor, codepage: int) -> Changed:
    """Read an ExceptionInfo (section 2.2.1.44.2)."""
    start, end, original = _time(cursor.u32()), _time(cursor.u32()), _time(cursor.u32())
    flags = cursor.u16()
    subject = _short_text(cursor, codepage) if flags & _SUBJECT else None
    cursor.take(4 * sum(1 for flag in (_TYPE, _REMINDER_DELTA, _REMINDER) if flags & flag))
    location = _short_text(cursor, codepage) if flags & _LOCATION else None
    busy = cursor.u32() if flags & _BUSY else None
    cursor.take(4 if flags & _ATTACHMENT else 0)
    is_all_day = bool(cursor.u32()) if flags & _ALL_DAY else None
    cursor.take(4 if flags & _COLOUR else 0)
    return Changed(start, max(start, end), original, subject, location, busy, is_all_day, flags)


def _short_text(cursor: Cursor, codepage: int) -> str:
    cursor.take(2)  # the length with a zero that is not there
    return codepages.decode(cursor.take(cursor.u16()), codepage)


def _in_unicode(cursor: Cursor, changed: list[Changed], has_highlight: bool) -> tuple[Changed, ...]:
    """Read the ExtendedExceptions (section 2.2.1.44.4); if truncated, the text in the code page is used."""
    done: list[Changed] = []
    try:
        cursor.take(cursor.u32())
        for occurrence in changed:
            if has_highlight:
                cursor.take(cursor.u32())
            cursor.take(cursor.u32())
            if occurrence.flags & (_SUBJECT | _LOCATION):
                cursor.take(12)
                subject = cursor.utf16(cursor.u16()) if occurrence.flags & _SUBJECT else None
                location = cursor.utf16(cursor.u16()) if occurrence.flags & _LOCATION else None
                cursor.take(cursor.u32())
                done.append(replace(occurrence, subject=subject, location=location))
            else:
                done.append(occurrence)
    except CutShort:
        pass
    return (*done, *changed[len(done) :])


def _bounded(count: int) -> int:
    if count > _MAX_INSTANCES:
        raise ValueError(f"recurrence with {count} exceptions")
    return count


def _time(minutes: int) -> datetime:
    return _EPOCH + timedelta(minutes=minutes)
