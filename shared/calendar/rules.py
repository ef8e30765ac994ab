"""Recurrence rules (RFC 5545 section 3.3.10) followed by dateutil, with bounds on what a rule may ask. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta, tzinfo
from itertools import islice
from typing import Any

from dateutil import rrule
from icalendar.prop import vRecur

from shared.calendar.moments import after, instant, to_local, to_utc
from shared.calendar.values import Moment
from shared.errors import MalformedCalendar

_FREQUENCIES = {"YEARLY": rrule.YEARLY, "MONTHLY": rrule.MONTHLY, "WEEKLY": rrule.WEEKLY, "DAILY": rrule.DAILY}
_DAYS = {"MO": rrule.MO, "TU": rrule.TU, "WE": rrule.WE, "TH": rrule.TH, "FR": rrule.FR, "SA": rrule.SA, "SU": rrule.SU}
_LISTS = {
    "BYSETPOS": "bysetpos",
    "BYMONTH": "bymonth",
    "BYMONTHDAY": "bymonthday",
    "BYYEARDAY": "byyearday",
    "BYWEEKNO": "byweekno",
    "BYHOUR": "byhour",
    "BYMINUTE": "byminute",
    "BYSECOND": "bysecond",
}
_KNOWN = {*_LISTS, "FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYDAY"}
_MAX_TIMES_A_DAY = 100
_MAX_WEEKS = 53  # of a year
_AROUND_DAYS = 800  # that are looked at before the start and after the horizon: whole years, where a rule is of years


class _Months(frozenset[int]):
    """The months of a rule. dateutil looks at every day of a rule that makes none, to the year 9999: this ends that."""

    days_left = 0

    def __contains__(self, month: object) -> bool:
        self.days_left -= 1
        if self.days_left < 0:
            raise _PastHorizonError
        return super().__contains__(month)


class _PastHorizonError(Exception):
    """So many days were looked at that the horizon is passed."""


def rule_slots(rule: vRecur, start: Moment, zone: tzinfo, horizon: datetime) -> Iterator[Moment]:
    """Yield what a rule makes of its start, up to the horizon, in UTC or as dates.

    start: local to `zone`, in UTC, or a date. Raises MalformedCalendar for a rule that cannot be followed.
    """
    local = to_local(start, zone) if isinstance(start, datetime) and start.tzinfo else start
    base = local if isinstance(local, datetime) else datetime(local.year, local.month, local.day)
    try:
        last, last_instant, last_day = _until(rule, horizon, zone)
        slots: Any = rrule.rrule(dtstart=base, until=last, cache=False, **_arguments(rule, base))
        if slots._bymonth or slots._freq != rrule.YEARLY or not slots._bynweekday:
            slots._bymonth = _Months(slots._bymonth or range(1, 13))
            slots._bymonth.days_left = max((last - base).days, 0) + _AROUND_DAYS
        count = one_of(rule, "COUNT")
        for slot in slots if count is None else islice(slots, int(count)):
            if last_day and slot.date() > last_day:
                return
            moment = to_utc(slot, zone) if isinstance(start, datetime) else slot.date()
            if last_instant and instant(moment) > last_instant:
                return
            yield moment
    except _PastHorizonError:
        return
    except (ValueError, TypeError, OverflowError, IndexError) as error:
        raise MalformedCalendar(f"a recurrence that cannot be followed: {error}") from error


def is_followed_to_its_end(rule: vRecur, slots: int, horizon: datetime, zone: tzinfo) -> bool:
    """Whether the number of slots found up to the horizon are all that the rule has."""
    if "COUNT" in rule:
        return slots >= int(one_of(rule, "COUNT"))
    until = one_of(rule, "UNTIL")
    return isinstance(until, date) and instant(to_utc(until, zone)) <= horizon


def _until(rule: vRecur, horizon: datetime, zone: tzinfo) -> tuple[datetime, datetime | None, date | None]:
    """Return the bound for the generator in local time, and the exact one: an instant or a day."""
    bound = horizon.astimezone(zone).replace(tzinfo=None)
    until = next(iter(rule.get("UNTIL", ())), None)
    if not isinstance(until, date):
        return bound, horizon, None
    if isinstance(until, datetime):
        exact = min(instant(to_utc(until, zone)), horizon)
        return after(exact.astimezone(zone).replace(tzinfo=None), timedelta(days=1)), exact, None
    return min(bound, datetime(until.year, until.month, until.day, 23, 59, 59)), horizon, until


def _arguments(rule: vRecur, start: datetime) -> dict[str, Any]:
    """Return the rule in the words of dateutil. Raises ValueError for what it must not be asked."""
    unknown = set(rule) - _KNOWN
    frequency = str(one_of(rule, "FREQ")).upper()
    if unknown or frequency not in _FREQUENCIES:
        raise ValueError(f"{', '.join(sorted(unknown)) or frequency} is not supported")
    interval, count = (1 if (told := one_of(rule, name)) is None else int(told) for name in ("INTERVAL", "COUNT"))
    if interval < 1 or count < 1:
        raise ValueError("INTERVAL or COUNT below 1")
    arguments: dict[str, Any] = {"freq": _FREQUENCIES[frequency], "interval": interval}
    if weekday := one_of(rule, "WKST"):
        arguments["wkst"] = _DAYS[str(weekday).upper()[-2:]]
    for name, argument in _LISTS.items():
        if name in rule:
            arguments[argument] = [int(value) for value in rule[name]]
    if "BYDAY" in rule:
        arguments["byweekday"] = [_weekday(str(value).upper()) for value in rule["BYDAY"]]
    elif "BYWEEKNO" in rule and not {"BYMONTHDAY", "BYYEARDAY"} & set(rule):
        arguments["byweekday"] = [start.weekday()]  # which dateutil takes for all days of the week
    if frequency == "YEARLY" and "BYMONTH" not in rule:
        _check_days_of_year(rule)
    times = 1
    for argument in ("byhour", "byminute", "bysecond"):
        times *= max(1, len(arguments.get(argument, ())))
    if times > _MAX_TIMES_A_DAY:
        raise ValueError(f"{times} times a day")
    return arguments


def _check_days_of_year(rule: vRecur) -> None:
    """Raise ValueError for "the nth Monday of the year" with other parts that may leave no day at all.

    Such a rule would be followed to the year 9999, since nothing of it can be counted.
    """
    nth = [int(number) for value in rule.get("BYDAY", ()) if (number := str(value)[:-2])]
    positions = [int(value) for value in rule.get("BYSETPOS", ())]
    if nth and (
        {"BYMONTHDAY", "BYYEARDAY", "BYWEEKNO"} & set(rule)
        or any(not 1 <= abs(number) <= _MAX_WEEKS for number in nth)
        or any(abs(position) > len(rule["BYDAY"]) for position in positions)
    ):
        raise ValueError("such days of the year are not supported")


def _weekday(text: str) -> Any:
    day = _DAYS.get(text[-2:])
    if day is None:
        raise ValueError(f"{text} is no day of the week")
    return day(int(text[:-2])) if text[:-2] else day


def one_of(rule: vRecur, name: str) -> Any:
    """Return the first value of a part of the rule, or None."""
    return next(iter(rule.get(name, ())), None)
