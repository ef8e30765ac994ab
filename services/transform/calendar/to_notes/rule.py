"""Which recurrence rules Notes holds. All others it is told as a list of periods. Pure.

Notes repeats daily, weekly on given days, monthly on one date or one weekday of a week, yearly on one date. It takes no
month's day 29, 30 or 31, no series without an end, and nothing that its own dialogue cannot show; 29 February is a day
of that kind too.
"""

from __future__ import annotations

from icalendar.prop import vRecur

from shared.calendar.values import Moment

_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_BOUNDS = ("COUNT", "UNTIL")
_SHORTEST_MONTH = 28


def is_endless(rule: vRecur) -> bool:
    """Whether the rule has no end of its own."""
    return not any(bound in rule for bound in _BOUNDS)


def held_rule(rule: vRecur, start: Moment) -> vRecur | None:
    """Return a bounded rule as Notes holds it, or None. start: DTSTART in local time, which the rule must make."""
    parts = {name: [str(value).upper() for value in values] for name, values in rule.items()}
    pattern = _pattern(parts, start)
    if pattern is None or is_endless(rule):
        return None
    interval = rule.get("INTERVAL", [1])
    bound = next(name for name in _BOUNDS if name in rule)
    return vRecur(
        {
            "FREQ": parts["FREQ"],
            **({"INTERVAL": interval} if int(interval[0]) > 1 else {}),
            bound: rule[bound],
            **pattern,
        }
    )


def _pattern(parts: dict[str, list[str]], start: Moment) -> dict[str, list[str | int]] | None:
    """Return the parts that tell the days, or None."""
    frequency = parts.get("FREQ", [""])[0]
    by = {name for name in parts if name.startswith("BY")}
    if frequency == "DAILY":
        return {} if not by else None
    if frequency == "WEEKLY":
        return _weekly(parts, by, start)
    if frequency == "MONTHLY":
        return _monthly(parts, by, start)
    if frequency == "YEARLY":
        return _yearly(parts, by, start)
    return None


def _weekly(parts: dict[str, list[str]], by: set[str], start: Moment) -> dict[str, list[str | int]] | None:
    """Take days of the week; where it matters when the week starts, only Monday, as Notes has it."""
    own = _DAYS[start.weekday()]
    days = parts.get("BYDAY", [own])
    every_week = parts.get("INTERVAL", ["1"]) == ["1"]
    starts_monday = parts.get("WKST", ["MO"]) == ["MO"]
    if by - {"BYDAY"} or own not in days or not set(days) <= set(_DAYS):
        return None
    if len(days) > 1 and not (every_week or starts_monday):
        return None
    return {"BYDAY": list(days)}


def _monthly(parts: dict[str, list[str]], by: set[str], start: Moment) -> dict[str, list[str | int]] | None:
    if by <= {"BYMONTHDAY"}:
        is_own = parts.get("BYMONTHDAY", [str(start.day)]) == [str(start.day)]
        return {"BYMONTHDAY": [start.day]} if is_own and start.day <= _SHORTEST_MONTH else None
    days, positions = parts.get("BYDAY", []), parts.get("BYSETPOS", [])
    if not by <= {"BYDAY", "BYSETPOS"} or len(days) != 1 or len(positions) > 1:
        return None
    week, weekday = days[0][:-2] or "".join(positions), days[0][-2:]
    if (days[0][:-2] and positions) or weekday != _DAYS[start.weekday()]:
        return None
    if week.lstrip("+") not in {str((start.day - 1) // 7 + 1), "-1"} or week.lstrip("+") == "5":
        return None
    return {"BYDAY": [f"{week.lstrip('+')}{weekday}"]}


def _yearly(parts: dict[str, list[str]], by: set[str], start: Moment) -> dict[str, list[str | int]] | None:
    is_own = (
        by <= {"BYMONTH", "BYMONTHDAY"}
        and parts.get("BYMONTH", [str(start.month)]) == [str(start.month)]
        and parts.get("BYMONTHDAY", [str(start.day)]) == [str(start.day)]
    )
    is_leap_day = (start.month, start.day) == (2, 29)
    return {"BYMONTHDAY": [start.day], "BYMONTH": [start.month]} if is_own and not is_leap_day else None
