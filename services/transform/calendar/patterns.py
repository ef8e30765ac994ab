"""The recurrence patterns that Outlook has (MS-OXOCAL section 2.2.1.44.1), as days and as rules. Pure.

Daily, weekly on some days, monthly and yearly on one date or on one nth day of the week, each with an interval.

Quirk: on the 29th to 31st, Outlook takes the last day of a month that is too short, where RFC 5545 skips the month. So
a pattern by date is right only where all its months have the day, or where it is the last day.
"""

from __future__ import annotations

from calendar import monthrange
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from math import gcd

from icalendar.prop import vRecur

from shared.calendar.rules import one_of
from shared.calendar.values import Moment

DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
MAX_INTERVAL = {"DAILY": 999, "WEEKLY": 99, "MONTHLY": 99, "YEARLY": 8}
_SAFE_DAY = 28
_DAY = timedelta(days=1)
_DAY_SETS = frozenset((frozenset(DAYS), frozenset(DAYS[:5]), frozenset(DAYS[5:]), *(frozenset((day,)) for day in DAYS)))


@dataclass(frozen=True, slots=True)
class DayPattern:
    """Days without an end. anchor: one of them, or for weeks the first day of a week that has some.

    step: days, weeks or months between. weekdays: of weeks, 0 is Monday. month_day: 1 to 31, or -1 for the last.
    nth: 1 to 4, or -1 for the last, with one weekday. rank: the lower, the likelier that a person meant it.
    """

    frequency: str
    step: int
    anchor: date
    rank: int
    weekdays: frozenset[int] = frozenset()
    month_day: int = 0
    nth: int = 0

    def days(self, first: date, last: date) -> Iterator[date]:
        """Yield the days from `first` to `last`; months that are too short have none."""
        if self.frequency == "DAILY":
            return self._steps(first, last)
        if self.frequency == "WEEKLY":
            return self._weeks(first, last)
        return (day for day in self._months(first, last) if day and first <= day <= last)

    def is_sure(self, first: date, last: date) -> bool:
        """Whether Outlook and RFC 5545 mean the same days."""
        return self.month_day <= _SAFE_DAY or None not in self._months(first, last)

    def rule(self) -> str:
        """Return the rule without its end."""
        interval = f";INTERVAL={self.step}" if self.step > 1 else ""
        if self.frequency == "DAILY":
            return f"FREQ=DAILY{interval}"
        if self.frequency == "WEEKLY":
            week_start = f";WKST={DAYS[self.anchor.weekday()]}" if self.step > 1 else ""
            return f"FREQ=WEEKLY{interval};BYDAY={','.join(DAYS[day] for day in sorted(self.weekdays))}{week_start}"
        day = f";BYMONTHDAY={self.month_day}" if self.month_day else f";BYDAY={self.nth}{DAYS[min(self.weekdays)]}"
        if self.step % 12:
            return f"FREQ=MONTHLY{interval}{day}"
        interval = f";INTERVAL={self.step // 12}" if self.step > 12 else ""
        return f"FREQ=YEARLY{interval}{day};BYMONTH={self.anchor.month}"

    def _steps(self, first: date, last: date) -> Iterator[date]:
        day = first + timedelta(days=(self.anchor - first).days % self.step)
        while day <= last:
            yield day
            day += timedelta(days=self.step)

    def _weeks(self, first: date, last: date) -> Iterator[date]:
        weeks = (first - self.anchor).days // 7
        week = self.anchor + timedelta(weeks=weeks - weeks % self.step)
        order = sorted((day - self.anchor.weekday()) % 7 for day in self.weekdays)
        while week <= last:
            yield from (day for offset in order if first <= (day := week + offset * _DAY) <= last)
            week += timedelta(weeks=self.step)

    def _months(self, first: date, last: date) -> Iterator[date | None]:
        month = _month(first) + (_month(self.anchor) - _month(first)) % self.step
        while month <= _month(last):
            year, number = divmod(month, 12)
            yield self._in_month(year, number + 1)
            month += self.step

    def _in_month(self, year: int, month: int) -> date | None:
        weekday, length = monthrange(year, month)
        if self.month_day:
            day = length if self.month_day < 0 else self.month_day
            return date(year, month, day) if day <= length else None
        first = 1 + (min(self.weekdays) - weekday) % 7
        if self.nth > 0:
            return date(year, month, first + 7 * (self.nth - 1))
        return date(year, month, first + (length - first) // 7 * 7)


def candidates(days: Sequence[date]) -> Iterator[DayPattern]:
    """Yield patterns that most of the days, sorted and each once, may follow. At least two are needed."""
    yield from _daily(days)
    yield from _weekly(days)
    yield from _monthly(days)


def _steps_of(numbers: Sequence[int], most: int) -> list[int]:
    """Return likely steps between numbers that grow: the greatest common one, the most frequent, one."""
    gaps = [after - before for before, after in pairwise(numbers) if after > before]
    if not gaps:
        return []
    frequent = Counter(gaps).most_common(1)[0][0]
    return [step for step in dict.fromkeys((gcd(*gaps), frequent, 1)) if step <= most]


def _daily(days: Sequence[date]) -> Iterator[DayPattern]:
    ordinals = [day.toordinal() for day in days]
    for step in _steps_of(ordinals, MAX_INTERVAL["DAILY"]):
        phase = Counter(ordinal % step for ordinal in ordinals).most_common(1)[0][0]
        anchor = next(day for day in days if day.toordinal() % step == phase)
        yield DayPattern("DAILY", step, anchor, 0 if step == 1 else 7)


def _weekly(days: Sequence[date]) -> Iterator[DayPattern]:
    counted = Counter(day.weekday() for day in days)
    frequent = frozenset(day for day, count in counted.items() if count * 2 >= max(counted.values()))
    for week_start in (0, 6) if 6 in counted else (0,):
        starts = [day - timedelta(days=(day.weekday() - week_start) % 7) for day in days]
        weeks = [start.toordinal() // 7 for start in starts]
        for step in _steps_of(weeks, MAX_INTERVAL["WEEKLY"]) or [1]:
            phase = Counter(week % step for week in weeks).most_common(1)[0][0]
            anchor = next(start for start, week in zip(starts, weeks, strict=True) if week % step == phase)
            for weekdays in dict.fromkeys((frozenset(counted), frequent)):
                if len(weekdays) > 1 and weeks[0] == weeks[-1]:
                    continue  # some days of one week make no habit
                yield DayPattern("WEEKLY", step, anchor, min(step, 3) if step < 3 else 6, weekdays)


def _monthly(days: Sequence[date]) -> Iterator[DayPattern]:
    months = [_month(day) for day in days]
    dates = [day for day, _ in Counter(day.day for day in days).most_common(2)]
    if any(day.day == monthrange(day.year, day.month)[1] for day in days):
        dates.append(-1)
    nths = [nth for nth, _ in Counter(((day.day - 1) // 7 + 1, day.weekday()) for day in days).most_common(2)]
    nths += [(-1, weekday) for weekday, _ in Counter(day.weekday() for day in days).most_common(1)]
    for step in _steps_of(months, 12 * MAX_INTERVAL["YEARLY"] + 3):
        if step > (12 * MAX_INTERVAL["YEARLY"] if step % 12 == 0 else MAX_INTERVAL["MONTHLY"]):
            continue
        phase = Counter(month % step for month in months).most_common(1)[0][0]
        anchor = next(day for day in days if _month(day) % step == phase)
        is_yearly = step % 12 == 0
        for month_day in dates:
            yield DayPattern("MONTHLY", step, anchor, 3 if is_yearly else 4, month_day=month_day)
        for nth, weekday in nths:
            if nth < 5:
                weekdays = frozenset((weekday,))
                yield DayPattern("MONTHLY", step, anchor, 5, weekdays, nth=nth)


def _month(day: date) -> int:
    return day.year * 12 + day.month - 1


def is_readable(rule: vRecur, start: Moment) -> bool:
    """Whether Outlook reads the rule as it stands (the templates of MS-OXCICAL section 2.1.3.2.2).

    start: DTSTART, which the rule has to make. Whether it does is not looked at.
    """
    frequency = str(one_of(rule, "FREQ") or "").upper()
    given = {name for name in rule if rule[name]} - {"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST"}
    if frequency not in MAX_INTERVAL or int(one_of(rule, "INTERVAL") or 1) > MAX_INTERVAL[frequency]:
        return False
    for name in ("BYHOUR", "BYMINUTE", "BYSECOND"):
        if name in given:
            told = getattr(start, name[2:].lower(), None)
            if [int(value) for value in rule[name]] != [told]:
                return False
            given.discard(name)
    days = [str(day).upper() for day in rule.get("BYDAY", ())]
    if frequency == "DAILY":
        return not given
    if frequency == "WEEKLY":
        return given <= {"BYDAY"} and all(day in DAYS for day in days)
    if frequency == "YEARLY":
        if "BYMONTH" in given:
            if [int(month) for month in rule["BYMONTH"]] != [start.month]:
                return False
            given.discard("BYMONTH")
        elif given:
            return False
    return _is_readable_day(rule, given, days, start)


def _is_readable_day(rule: vRecur, given: set[str], days: list[str], start: Moment) -> bool:
    if not given:
        return start.day <= _SAFE_DAY
    if given == {"BYMONTHDAY"}:
        told = [int(day) for day in rule["BYMONTHDAY"]]
        return told == [-1] or (told == [start.day] and start.day <= _SAFE_DAY)
    if given == {"BYDAY"}:
        return len(days) == 1 and days[0][:-2].lstrip("+") in ("1", "2", "3", "4", "-1")
    if given == {"BYDAY", "BYSETPOS"}:
        return frozenset(days) in _DAY_SETS and [int(one) for one in rule["BYSETPOS"]] in ([1], [2], [3], [4], [-1])
    return False
