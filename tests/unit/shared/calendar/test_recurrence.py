"""Occurrences counted and said again: by any rule, list, exception and override, and as Outlook holds them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from services.transform.calendar.expression import express, express_some, is_holdable
from shared.calendar.ical import read_calendars
from shared.calendar.moments import Occurrence, instant, union
from shared.calendar.recurrence import Expansion, expand, zone_finder
from shared.errors import MalformedCalendar
from tests.support.icalendar_reader import read_fresh
from tests.support.outlook_calendar import spans
from tests.support.recurrence_rules import rules

BERLIN = ZoneInfo("Europe/Berlin")


def entry(*lines: str) -> str:
    return "\r\n".join(("BEGIN:VEVENT", "UID:a", *lines, "END:VEVENT"))


def calendar(*entries: str) -> str:
    return "\r\n".join(("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:x", *entries, "END:VCALENDAR", ""))


def expanded(text: str) -> Expansion:
    (read,) = read_calendars(text)
    return expand(read.walk("VEVENT"), zone_finder(read))


def starts(text: str) -> list[str]:
    return [one.start.strftime("%Y%m%dT%H%MZ") for one in expanded(text).occurrences]


START = ("DTSTART;TZID=Europe/Berlin:20240325T090000", "DTEND;TZID=Europe/Berlin:20240325T100000")


def test_a_rule_follows_the_clock_over_a_change_of_offset() -> None:
    assert starts(calendar(entry(*START, "RRULE:FREQ=WEEKLY;COUNT=2"))) == ["20240325T0800Z", "20240401T0700Z"]


def test_a_list_of_periods_mixes_ends_durations_utc_and_local_times() -> None:
    text = calendar(
        entry(
            *START,
            "RDATE;TZID=Europe/Berlin;VALUE=PERIOD:20240325T090000/20240325T100000,20240326T090000/PT30M",
            "RDATE;VALUE=PERIOD:20240327T080000Z/20240327T081500Z,20240328T080000Z/PT2H",
        )
    )
    assert [(one.start, instant(one.end) - instant(one.start)) for one in expanded(text).occurrences] == [
        (datetime(2024, 3, day, 8, tzinfo=UTC), timedelta(minutes=minutes))
        for day, minutes in ((25, 60), (26, 30), (27, 15), (28, 120))
    ]


def test_exceptions_name_instants_or_whole_days() -> None:
    text = calendar(
        entry(*START, "RRULE:FREQ=DAILY;COUNT=4", "EXDATE:20240326T080000Z", "EXDATE;VALUE=DATE:20240327"),
    )
    assert starts(text) == ["20240325T0800Z", "20240328T0800Z"]


def test_an_override_moves_one_instance_and_leaves_the_rest() -> None:
    moved = entry("RECURRENCE-ID:20240326T080000Z", "DTSTART:20240326T120000Z", "DTEND:20240326T123000Z")
    text = calendar(entry(*START, "RRULE:FREQ=DAILY;COUNT=3"), moved)
    assert starts(text) == ["20240325T0800Z", "20240326T1200Z", "20240327T0800Z"]


def test_this_and_future_shifts_all_that_follow() -> None:
    moved = entry(
        "RECURRENCE-ID;RANGE=THISANDFUTURE:20240326T080000Z", "DTSTART:20240326T090000Z", "DTEND:20240326T093000Z"
    )
    text = calendar(entry(*START, "RRULE:FREQ=DAILY;COUNT=3"), moved)
    assert starts(text) == ["20240325T0800Z", "20240326T0900Z", "20240327T0900Z"]


def test_this_and_future_with_periods_replaces_all_that_follow() -> None:
    periods = "RDATE;VALUE=PERIOD:20240326T090000Z/PT1H,20240402T090000Z/PT1H,20240409T090000Z/PT1H"
    moved = entry(
        "RECURRENCE-ID;RANGE=THISANDFUTURE:20240326T080000Z", "DTSTART:20240326T090000Z", "DURATION:PT1H", periods
    )
    text = calendar(entry(*START, "RRULE:FREQ=DAILY;COUNT=5"), moved)
    assert starts(text) == ["20240325T0800Z", "20240326T0900Z", "20240402T0900Z", "20240409T0900Z"]


def test_an_endless_series_is_followed_to_a_bound_and_says_so() -> None:
    expansion = expanded(calendar(entry(*START, "RRULE:FREQ=DAILY")))
    assert not expansion.is_complete
    assert len(expansion.instances) == 1500


@pytest.mark.parametrize(
    "lines",
    [
        ["RRULE:FREQ=WEEKLY"],
        [*START, "RRULE:FREQ=SECONDLY"],
        [*START, "RDATE;VALUE=PERIOD:20240326T080000Z/PT1H,tomorrow"],
        [*START, "RRULE:FREQ=DAILY;INTERVAL=0"],
        [*START, "RRULE:FREQ=DAILY;COUNT=0"],
        [*START, "RRULE:FREQ=DAILY;BYHOUR=" + ",".join(map(str, range(24))) + ";BYMINUTE=1,2,3,4,5"],
        ["DTSTART:00010101T000000", "RRULE:FREQ=DAILY;COUNT=2;BYSETPOS=0"],
    ],
)
def test_what_cannot_be_followed_is_malformed(lines: list[str]) -> None:
    with pytest.raises(MalformedCalendar):
        expanded(calendar(entry(*lines)))


def told(occurrences: Sequence[Occurrence]) -> list[tuple[str, str]]:
    return sorted(
        (one.start.strftime("%Y-%m-%dT%H:%M:%SZ"), one.end.strftime("%Y-%m-%dT%H:%M:%SZ")) for one in occurrences
    )


@settings(max_examples=80, deadline=None)
@given(rules(), st.sampled_from(["20240325T090000", "20240229T233000", "20240131T013000"]))
def test_any_rule_gives_what_another_library_finds(rule: str, start: str) -> None:
    zone = "TZID=Europe/Berlin"
    text = calendar(entry(f"DTSTART;{zone}:{start}", "DURATION:PT45M", f"RRULE:{rule}"))
    parsed = read_fresh(text)
    expansion = expanded(text)
    assume(expansion.is_complete)  # a series of centuries is cut, and says so
    assert told(expansion.occurrences) == spans(parsed)


@settings(max_examples=80, deadline=None)
@given(rules(), st.lists(st.integers(0, 40), max_size=4), st.lists(st.tuples(st.integers(0, 40), st.integers(-30, 30))))
def test_what_is_expressed_is_exactly_the_set(rule: str, left_out: list[int], moves: list[tuple[int, int]]) -> None:
    text = calendar(entry("DTSTART;TZID=Europe/Berlin:20240325T090000", "DURATION:PT45M", f"RRULE:{rule}"))
    wanted = list(expanded(text).occurrences)[:60]
    for at, hours in moves[:3]:
        if at < len(wanted):
            by = timedelta(hours=hours)
            wanted[at] = Occurrence(wanted[at].start + by, wanted[at].end + by)
    wanted = [one for at, one in enumerate(wanted) if at not in left_out]
    pattern = express(wanted, BERLIN)
    if pattern is None:
        return
    held = calendar(
        entry(
            f"DTSTART;TZID=Europe/Berlin:{pattern.start:%Y%m%dT%H%M%S}",
            f"DURATION:PT{int(pattern.length.total_seconds())}S",
            f"RRULE:{pattern.rule}",
            *(f"EXDATE;TZID=Europe/Berlin:{one:%Y%m%dT%H%M%S}" for one in pattern.excluded),
        ),
        *(
            entry(
                f"RECURRENCE-ID;TZID=Europe/Berlin:{slot:%Y%m%dT%H%M%S}",
                f"DTSTART:{one.start:%Y%m%dT%H%M%SZ}",
                f"DTEND:{one.end:%Y%m%dT%H%M%SZ}",
            )
            for slot, one in pattern.moved(BERLIN)
        ),
    )
    parsed = read_fresh(held)
    assert spans(parsed) == told(union(wanted))
    assert is_holdable(wanted, BERLIN)


def hour(year: int, month: int, day: int, at: int = 8) -> Occurrence:
    start = datetime(year, month, day, at, tzinfo=UTC)
    return Occurrence(start, start + timedelta(hours=1))


@pytest.mark.parametrize(
    ("occurrences", "rule"),
    [
        ([hour(2024, 1, day) for day in (1, 2, 3, 4, 5)], "FREQ=DAILY;COUNT=5"),
        ([hour(2024, 1, day) for day in (1, 3, 8, 10, 15, 17)], "FREQ=WEEKLY;BYDAY=MO,WE;COUNT=6"),
        ([hour(2024, 1, day) for day in (1, 3, 15, 17)], "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE;WKST=MO;COUNT=4"),
        ([hour(2024, month, 15) for month in range(1, 7)], "FREQ=MONTHLY;BYMONTHDAY=15;COUNT=6"),
        ([hour(2024, 1, 31), hour(2024, 2, 29), hour(2024, 3, 31, 7)], "FREQ=MONTHLY;BYMONTHDAY=-1;COUNT=3"),
        ([hour(2024, 1, 9), hour(2024, 2, 13), hour(2024, 3, 12)], "FREQ=MONTHLY;BYDAY=2TU;COUNT=3"),
        ([hour(year, 5, 4, 7) for year in (2024, 2025, 2026)], "FREQ=YEARLY;BYMONTHDAY=4;BYMONTH=5;COUNT=3"),
        ([hour(2024, 1, day) for day in (1, 2, 3, 5, 6)], "FREQ=DAILY;COUNT=6"),
    ],
)
def test_a_pattern_is_the_one_that_a_person_means(occurrences: list[Occurrence], rule: str) -> None:
    pattern = express(occurrences, BERLIN)
    assert pattern is not None
    assert pattern.rule == rule


@pytest.mark.parametrize(
    "occurrences",
    [
        [hour(2024, 1, 1, 8), hour(2024, 1, 1, 12)],
        [hour(2024, month, day) for month in range(1, 7) for day in (1, 15)],
        [hour(2024, 1, day) for day in (1, 4, 11, 12, 25, 31)],
        [Occurrence(hour(2024, 1, 1).start, hour(2024, 1, 2).end), hour(2024, 1, 2)],
    ],
    ids=["two a day", "two dates a month", "no pattern", "overlap"],
)
def test_what_outlook_cannot_hold_has_no_pattern(occurrences: list[Occurrence]) -> None:
    assert express(occurrences, BERLIN) is None


def test_a_pattern_by_the_30th_is_left_to_months_that_have_it() -> None:
    """Outlook would meet on 29 February, the rule of RFC 5545 not at all."""
    pattern = express([hour(2024, 1, 30), hour(2024, 3, 30), hour(2024, 4, 30, 7), hour(2024, 5, 30, 7)], BERLIN)
    assert pattern is None or "BYMONTHDAY=30" not in pattern.rule


def test_whole_days_stay_whole_days() -> None:
    pattern = express([Occurrence(date(2024, 1, day), date(2024, 1, day + 1)) for day in (1, 8, 15)], UTC)
    assert pattern is not None
    assert (pattern.rule, pattern.start) == ("FREQ=WEEKLY;BYDAY=MO;COUNT=3", date(2024, 1, 1))


def test_what_no_pattern_holds_is_left_over() -> None:
    occurrences = [hour(2024, 1, day) for day in (1, 2, 3)] + [hour(2024, 1, 2, 12)]
    found = express_some(occurrences, BERLIN)
    assert found is not None
    pattern, rest = found
    assert {one for _, one in pattern.placed} | set(rest) == set(occurrences)
    assert rest == (hour(2024, 1, 2, 12),)
