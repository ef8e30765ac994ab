"""Recurrences of Outlook: the specification's own, and each pattern against an expansion made here."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta

import icalendar
import pytest
from dateutil.rrule import rrulestr
from hypothesis import given
from hypothesis import strategies as st

from services.transform.tnef.recurrence import Recurrence, read_recurrence
from tests.support.tnef import Moved, recurrence

# MS-OXOCAL section 4.1.1.2: every Monday, Thursday and Friday, twelve times, one of them changed.
EXAMPLE = bytes.fromhex(
    "043004300B2001000000C0210000010000000000000032000000222000000C0000000000000001000000A096BC0C01000000A096BC0C8020BC"
    "0C20ADBC0C0630000009300000580200007602000001003499BC0C5299BC0CF898BC0C11002200210053696D706C6520526563757272656E63"
    "6520776974682065786365"
    "7074696F6E730800070033342F34313431000000000400000000000000000000003499BC0C5299BC0CF898BC0C2100530069006D0070006C00"
    "6500200052006500630075007200720065006E00630065002000770069007400680020006500780063006500700074006900"
    "6F006E0073000700330034002F0034003100340031000000000000000000"
)
START = datetime(2024, 1, 8, 10)
DAY = 24 * 60


def days(octets: bytes) -> list[date]:
    """Return the days of the rule, by a library that knows nothing of Outlook."""
    found = read_recurrence(octets)
    rule = icalendar.vRecur(found.rrule(found.until)).to_ical().decode()
    return [moment.date() for moment in rrulestr(rule, dtstart=datetime.combine(found.start, time()))]


def month_days(start: date, months: int, day: int, count: int) -> Iterator[date]:
    """Return what Outlook shows: that day, or the last one of a month that is shorter."""
    for index in range(count):
        year, month = divmod(start.year * 12 + start.month - 1 + index * months, 12)
        yield date(year, month + 1, min(day, monthrange(year, month + 1)[1]))


def test_the_example_of_the_specification() -> None:
    found = read_recurrence(EXAMPLE)
    assert found.rrule(None) == {
        "FREQ": "WEEKLY",
        "COUNT": 12,
        "INTERVAL": 1,
        "BYDAY": ["MO", "TH", "FR"],
        "WKST": "SU",
    }
    assert (found.start, found.start_of_day) == (date(2007, 3, 26), timedelta(hours=10))
    assert (found.deleted, found.removed) == ((date(2007, 4, 16),), ())
    (changed,) = found.changed
    assert (changed.original_start, changed.start, changed.end) == (
        datetime(2007, 4, 16, 10),
        datetime(2007, 4, 16, 11),
        datetime(2007, 4, 16, 11, 30),
    )
    assert (changed.subject, changed.location) == ("Simple Recurrence with exceptions", "34/4141")


@given(interval=st.integers(1, 30), count=st.integers(1, 40))
def test_every_so_many_days(interval: int, count: int) -> None:
    octets = recurrence(0x200A, 0, interval * DAY, (), START, count=count)
    assert days(octets) == [START.date() + timedelta(days=interval * index) for index in range(count)]


@given(interval=st.integers(1, 4), mask=st.integers(1, 127), weeks=st.integers(1, 12), first=st.integers(0, 6))
def test_weekdays_of_every_so_many_weeks(interval: int, mask: int, weeks: int, first: int) -> None:
    chosen = [day for day in range(7) if mask >> day & 1]  # from Sunday
    week_start = START.date() - timedelta(days=(START.isoweekday() - first) % 7)
    expected = sorted(
        day
        for week in range(0, weeks, interval)
        for offset in range(7)
        if (day := week_start + timedelta(days=7 * week + offset)).isoweekday() % 7 in chosen and day >= START.date()
    )
    if expected:
        start = datetime.combine(expected[0], START.time())
        until = datetime.combine(week_start + timedelta(days=7 * weeks - 1), time())
        if (expected[0] - week_start).days < 7:
            octets = recurrence(0x200B, 1, interval, (mask,), start, until=until, first_weekday=first)
            assert days(octets) == expected


@given(interval=st.integers(1, 12), day=st.integers(1, 31), count=st.integers(1, 30))
def test_a_day_of_every_so_many_months(interval: int, day: int, count: int) -> None:
    expected = list(month_days(date(2024, 1, 1), interval, day, count))
    start = datetime.combine(expected[0], time(9))
    assert days(recurrence(0x200C, 2, interval, (day,), start, count=count)) == expected


@given(month=st.integers(1, 12), day=st.integers(1, 31), years=st.integers(1, 3), count=st.integers(1, 9))
def test_a_day_of_every_so_many_years(month: int, day: int, years: int, count: int) -> None:
    expected = list(month_days(date(2024, month, 1), 12 * years, day, count))
    start = datetime.combine(expected[0], time(9))
    assert days(recurrence(0x200D, 2, 12 * years, (day,), start, count=count)) == expected


@given(mask=st.integers(1, 127), week=st.integers(1, 5), interval=st.integers(1, 6), count=st.integers(1, 12))
def test_the_nth_of_some_weekdays_in_a_month(mask: int, week: int, interval: int, count: int) -> None:
    expected: list[date] = []
    for first in month_days(date(2024, 1, 1), interval, 1, count):
        length = monthrange(first.year, first.month)[1]
        fitting = [
            day for day in (first + timedelta(days=n) for n in range(length)) if mask >> day.isoweekday() % 7 & 1
        ]
        expected.append(fitting[-1 if week == 5 else week - 1])
    start = datetime.combine(expected[0], time(9))
    assert days(recurrence(0x200C, 3, interval, (mask, week), start, count=count)) == expected


def test_an_endless_series_has_no_end() -> None:
    found = read_recurrence(recurrence(0x200A, 0, DAY, (), START))
    assert found.rrule(found.until) == {"FREQ": "DAILY", "INTERVAL": 1}


def test_a_changed_occurrence_is_not_a_removed_one() -> None:
    moved = Moved(datetime(2024, 1, 9, 10), datetime(2024, 1, 20, 8), datetime(2024, 1, 20, 9), location="Über €")
    found = read_recurrence(
        recurrence(0x200A, 0, DAY, (), START, count=9, deleted=[datetime(2024, 1, 10)], moved=[moved])
    )
    assert found.removed == (date(2024, 1, 10),)
    assert [(c.original_start, c.start, c.subject, c.location) for c in found.changed] == [
        (moved.original, moved.start, None, "Über €")
    ]


def test_changed_texts_are_read_by_code_page_where_they_are_not_unicode_too() -> None:
    moved = Moved(START, START, START, subject="Größe")
    octets = recurrence(0x200A, 0, DAY, (), START, count=2, moved=[moved], extended=False)
    assert read_recurrence(octets).changed[0].subject == "Größe"


@pytest.mark.parametrize(
    "octets",
    [
        EXAMPLE[:40],
        recurrence(0x200C, 0xA, 1, (5,), START, calendar=8),
        recurrence(0x200A, 0, 0, (), START),
        recurrence(0x200B, 1, 1, (0,), START),
        recurrence(0x200C, 3, 1, (2, 9), START),
        recurrence(0x200C, 2, 1, (0,), START),
        recurrence(0x200A, 0, DAY, (), START, count=0),
        recurrence(0x200A, 0, DAY, (), START, count=0x80000000),
    ],
)
def test_what_iCalendar_cannot_hold_is_an_error(octets: bytes) -> None:  # noqa: N802 its name
    with pytest.raises(ValueError, match="recurrence"):
        read_recurrence(octets)


@given(st.binary(max_size=300) | st.tuples(st.integers(0, 250), st.binary(max_size=12)))
def test_any_octets_are_a_recurrence_or_an_error(octets: bytes | tuple[int, bytes]) -> None:
    if isinstance(octets, tuple):
        at, noise = octets
        octets = EXAMPLE[:at] + noise + EXAMPLE[at + len(noise) :]
    try:
        found: Recurrence | None = read_recurrence(octets)
    except ValueError:
        found = None
    if found:
        icalendar.vRecur(found.rrule(found.until)).to_ical()
