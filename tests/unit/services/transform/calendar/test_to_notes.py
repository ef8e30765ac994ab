"""Meetings of Exchange as Notes takes them: the same occurrences, told in its words."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from dateutil.rrule import rrulestr
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from services.transform.calendar.context import MeetingContext
from services.transform.calendar.to_notes.convert import ForNotes, for_notes
from services.transform.calendar.uids import again_uid, first_uid
from shared.calendar.ical import read_calendars, text_of, write_calendar
from shared.calendar.zones.find import zone_of
from shared.calendar.zones.write import windows_timezone
from shared.spool.memory import Memory
from tests.support.icalendar_reader import read_fresh
from tests.unit.shared.calendar.oracle import occurrences

NOW = datetime(2026, 3, 1, tzinfo=UTC)
BERLIN = """BEGIN:VTIMEZONE
TZID:W. Europe Standard Time
BEGIN:STANDARD
DTSTART:16010101T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=10
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:16010101T020000
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=3
END:DAYLIGHT
END:VTIMEZONE
"""
START = "DTSTART;TZID=W. Europe Standard Time:20260105T090000\nDTEND;TZID=W. Europe Standard Time:20260105T100000\n"


class Book:
    """What is remembered, as the spool does it: a memory is written over the version that was recalled."""

    def __init__(self) -> None:
        self.memories: dict[str, Memory] = {}

    def recall(self, key: str) -> Memory:
        return self.memories.get(key, Memory())

    def write(self, result: ForNotes) -> None:
        for memory in result.memories:
            assert memory.version == self.recall(memory.key).version
            assert memory.expires_at > NOW.timestamp()
            self.memories[memory.key] = Memory(memory.version + 1, memory.value)


def calendar(*events: str, method: str = "REQUEST", zones: str = BERLIN) -> str:
    lines = ["BEGIN:VCALENDAR", "PRODID:Microsoft Exchange Server 2010", "VERSION:2.0"]
    lines += [f"METHOD:{method}"] if method else []
    body = [f"BEGIN:VEVENT\n{event.strip()}\nEND:VEVENT" for event in events]
    return "\r\n".join("\n".join([*lines, zones.strip(), *body, "END:VCALENDAR", ""]).split("\n"))


def event(*lines: str, start: str = START, uid: str = "40000008200E", sequence: int = 0) -> str:
    return "\n".join([start.strip(), f"UID:{uid}", f"SEQUENCE:{sequence}", "DTSTAMP:20260101T000000Z", *lines])


def convert(text: str, book: Book | None = None, endless: timedelta = timedelta(days=730)) -> ForNotes:
    book = book or Book()
    context = MeetingContext("exchange", "notes", NOW, endless, timedelta(days=90), str.lower, book.recall)
    (one,) = read_calendars(text)
    result = for_notes(one, context)
    book.write(result)
    return result


def text_after(result: ForNotes) -> str:
    octets = write_calendar(result.calendar)
    assert all(len(line) <= 75 for line in octets.split(b"\r\n"))
    return octets.decode()


def events_of(result: ForNotes) -> list[Any]:
    return list(read_fresh(text_after(result)).walk("VEVENT"))


def value(component: Any, name: str) -> str:
    return str(component[name].to_ical().decode())


def test_the_zone_is_called_as_notes_calls_it() -> None:
    result = convert(calendar(event("SUMMARY:One")))
    text = text_after(result)
    assert "DTSTART;TZID=W. Europe:20260105T090000\r\n" in text
    assert "TZID:W. Europe\r\nBEGIN:STANDARD\r\nDTSTART:19501029T030000\r\n" in text
    assert "Standard Time" not in text


@pytest.mark.parametrize(
    ("zone", "mark"),
    [("UTC", "Z"), ("(UTC) Coordinated Universal Time", "Z"), ("GMT+00:00", "Z"), ("Unknown Standard Time", "")],
)
def test_times_of_utc_are_said_in_utc_and_those_of_no_known_zone_stay_local(zone: str, mark: str) -> None:
    told = event(
        "RRULE:FREQ=DAILY;COUNT=3",
        f'EXDATE;TZID="{zone}":20260106T090000',
        start=START.replace("W. Europe Standard Time", f'"{zone}"'),
    )
    result = convert(calendar(told, zones="X-A:b"))
    (only,) = events_of(result)
    first, second = "20260105T090000{0}/20260105T100000{0}", "20260107T090000{0}/20260107T100000{0}"
    assert value(only, "RDATE") == f"{first},{second}".format(mark)
    assert "TZID" not in text_after(result)


def test_a_rule_that_notes_holds_stays_a_rule() -> None:
    (only,) = events_of(convert(calendar(event("RRULE:FREQ=WEEKLY;BYDAY=MO,WE;COUNT=7;WKST=SU"))))
    assert value(only, "RRULE") == "FREQ=WEEKLY;COUNT=7;BYDAY=MO,WE"
    assert "RDATE" not in only


def test_the_first_monday_is_said_as_notes_says_it() -> None:
    (only,) = events_of(convert(calendar(event("RRULE:FREQ=MONTHLY;BYDAY=MO;BYSETPOS=1;COUNT=5"))))
    assert value(only, "RRULE") == "FREQ=MONTHLY;COUNT=5;BYDAY=1MO"


HARD = {
    "monthly on day 31": event(
        "RRULE:FREQ=MONTHLY;BYMONTHDAY=31;COUNT=6",
        start=START.replace("0105T", "0131T"),
    ),
    "monthly on the last day": event("RRULE:FREQ=MONTHLY;BYMONTHDAY=-1;COUNT=6", start=START.replace("0105T", "0131T")),
    "days left out": event(
        "RRULE:FREQ=DAILY;COUNT=10",
        "EXDATE;TZID=W. Europe Standard Time:20260107T090000,20260109T090000",
    ),
    "two dates of a month": event("RRULE:FREQ=MONTHLY;BYMONTHDAY=5,20;COUNT=6"),
    "the last working day": event(
        "RRULE:FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1;COUNT=6", start=START.replace("0105T", "0130T")
    ),
    "every other week from Sunday on": event("RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=SU,MO;WKST=SU;COUNT=8"),
    "29 February": event("RRULE:FREQ=YEARLY;COUNT=3", start=START.replace("20260105T", "20240229T")),
    "a rule and more dates": event("RRULE:FREQ=DAILY;COUNT=3", "RDATE;TZID=W. Europe Standard Time:20260120T090000"),
    "through the change of clocks": event(
        "RRULE:FREQ=DAILY;COUNT=90", "EXDATE;TZID=W. Europe Standard Time:20260107T090000"
    ),
}


@pytest.mark.parametrize("told", HARD.values(), ids=HARD.keys())
def test_what_notes_does_not_hold_becomes_a_list_of_the_same_occurrences(told: str) -> None:
    before = calendar(told)
    result = convert(before)
    (only,) = events_of(result)
    assert "RRULE" not in only
    assert "EXDATE" not in only
    assert only["RDATE"].params["VALUE"] == "PERIOD"
    assert occurrences(text_after(result)) == occurrences(before)


def test_an_hour_that_happens_twice_is_told_in_utc() -> None:
    """The second of the two hours has no local name of its own."""
    told = event(
        "RRULE:FREQ=DAILY;COUNT=5",
        "EXDATE;TZID=W. Europe Standard Time:20261026T023000",
        start=START.replace("0105T090000", "1024T023000").replace("0105T100000", "1024T033000"),
    )
    (only,) = events_of(convert(calendar(told)))
    assert "TZID" not in only["RDATE"].params
    assert value(only, "RDATE").startswith("20261024T003000Z/20261024T013000Z,20261025T003000Z/20261025T013000Z,")


def test_days_are_listed_as_days() -> None:
    before = calendar(
        event(
            "RRULE:FREQ=DAILY;COUNT=4",
            "EXDATE;VALUE=DATE:20260106",
            start="DTSTART;VALUE=DATE:20260105\nDTEND;VALUE=DATE:20260106",
        )
    )
    result = convert(before)
    assert "RDATE;VALUE=DATE:20260105,20260107,20260108\r\n" in text_after(result)
    assert occurrences(text_after(result)) == occurrences(before)


MOVED = event(
    "RECURRENCE-ID;TZID=W. Europe Standard Time:20260106T090000",
    start=START.replace("0105T09", "0106T14").replace("0105T10", "0106T15"),
)


def test_a_moved_instance_stands_in_the_list_at_its_new_time() -> None:
    before = calendar(event("RRULE:FREQ=DAILY;COUNT=3"), MOVED)
    result = convert(before)
    (only,) = events_of(result)
    assert "20260106T140000/20260106T150000" in value(only, "RDATE")
    assert occurrences(text_after(result)) == occurrences(before)


def test_an_instance_with_words_of_its_own_follows_as_a_component() -> None:
    before = calendar(event("RRULE:FREQ=DAILY;COUNT=3", "LOCATION:Room 1"), MOVED + "\nLOCATION:Room 2")
    result = convert(before)
    _, other = events_of(result)
    assert value(other, "RECURRENCE-ID") == "20260106T130000Z"
    assert value(other, "LOCATION") == "Room 2"
    assert occurrences(text_after(result)) == occurrences(before)


def test_a_series_without_an_end_gets_one_and_says_so() -> None:
    result = convert(calendar(event("RRULE:FREQ=WEEKLY;BYDAY=MO", "SUMMARY:Jour fixe", "DESCRIPTION:Hello")))
    (only,) = events_of(result)
    assert value(only, "RRULE") == "FREQ=WEEKLY;COUNT=113;BYDAY=MO"
    (text,) = result.texts
    assert text == (
        'The series "Jour fixe" has no end. Notes takes no series without one, so it goes as far as 2028-02-28 here.'
    )
    assert text_of(result.calendar.walk("VEVENT")[0], "DESCRIPTION") == f"Hello\n\n{text}"
    horizon = NOW + timedelta(days=730)
    assert occurrences(text_after(result)) == occurrences(calendar(event("RRULE:FREQ=WEEKLY;BYDAY=MO")), horizon)


def test_a_series_too_long_to_list_keeps_its_rule_and_its_exceptions() -> None:
    before = calendar(
        event("RRULE:FREQ=DAILY;COUNT=2000", "EXDATE;TZID=W. Europe Standard Time:20260107T090000"), MOVED
    )
    result = convert(before)
    assert occurrences(text_after(result)) == occurrences(before)


def test_what_notes_said_of_an_update_is_not_said_back() -> None:
    result = convert(
        calendar(
            event(
                "X-LOTUS-UPDATE-SEQ:2",
                "X-LOTUS-UPDATE-WISL:$S:1;$L:1",
                "X-LOTUS-UPDATE-SUBJECT:old",
                "X-LOTUS-BROADCAST:FALSE",
            )
        )
    )
    text = text_after(result)
    assert "X-LOTUS-UPDATE" not in text
    assert "X-LOTUS-BROADCAST:FALSE" in text


def test_people_are_shown_by_public_addresses() -> None:
    result = convert(
        calendar(
            event(
                'ORGANIZER;SENT-BY="MAILTO:BOSS@INTERNAL";CN="Doe, Jane":mailto:JANE@INTERNAL',
                "ATTENDEE;CN='QA@INTERNAL';RSVP=TRUE:mailto:QA@INTERNAL",
                "ATTENDEE;CN=Nobody:invalid:nomail",
                "SUMMARY;LANGUAGE=en-us:Hello",
            )
        )
    )
    (only,) = events_of(result)
    assert only["ORGANIZER"] == "mailto:jane@internal"
    assert only["ORGANIZER"].params["SENT-BY"] == "mailto:boss@internal"
    assert only["ORGANIZER"].params["CN"] == "Doe, Jane"
    first, second = only["ATTENDEE"]
    assert first == "mailto:qa@internal"
    assert first.params["CN"] == "qa@internal"
    assert second == "invalid:nomail"
    assert not only["SUMMARY"].params


def test_entries_without_uid_get_one_each_and_the_same_again() -> None:
    text = calendar(
        "DTSTART:20260105T090000Z\nDTEND:20260105T100000Z\nSUMMARY:One",
        "DTSTART:20260106T090000Z\nDTEND:20260106T100000Z\nSUMMARY:Two",
        zones="X-A:b",
    )
    first, again = (sorted(value(one, "UID") for one in events_of(convert(text))) for _ in range(2))
    assert len(set(first)) == 2
    assert first == again
    assert all("DTSTAMP" in one for one in events_of(convert(text)))
    assert occurrences(text_after(convert(text))) == occurrences(text)


def test_a_duration_becomes_an_end() -> None:
    start = "DTSTART;TZID=W. Europe Standard Time:20260105T090000\nDURATION:PT90M"
    (only,) = events_of(convert(calendar(event(start=start))))
    assert value(only, "DTEND") == "20260105T103000"


@pytest.mark.parametrize(
    "told",
    [
        "SUMMARY:no start",
        event("RRULE:FREQ=SECONDLY;COUNT=9"),
        event("RRULE:FREQ=DAILY;INTERVAL=0"),
        event("RECURRENCE-ID:20260106T080000Z", start=""),
    ],
)
def test_what_makes_no_sense_keeps_what_it_says(told: str) -> None:
    result = convert(calendar(told))
    (only,) = result.calendar.walk("VEVENT")
    assert not result.memories
    for name in ("SUMMARY", "RRULE", "RECURRENCE-ID"):
        assert (name in only) == (name in told)


def test_a_rule_that_makes_no_day_costs_no_search_to_the_end_of_time() -> None:
    """dateutil looks for one to the year 9999."""
    for rule in ("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=31", "FREQ=DAILY;INTERVAL=7;BYDAY=TU", "FREQ=DAILY;BYSETPOS=2"):
        for start in ("00010101", "20260105"):
            told = event(f"RRULE:{rule}", start=f"DTSTART:{start}T090000Z\nDTEND:{start}T100000Z")
            began = time.process_time()
            convert(calendar(told))
            assert time.process_time() - began < 2  # seconds; a search takes ten


def test_series_beyond_the_first_hundred_stay_as_they_are() -> None:
    events = [event("RRULE:FREQ=MONTHLY;BYMONTHDAY=5,6;COUNT=3", uid=f"series {number}") for number in range(101)]
    converted = events_of(convert(calendar(*events)))
    assert [("RRULE" in one) for one in converted] == [False] * 100 + [True]


# The life of a meeting


def test_a_moved_instance_is_told_by_the_slot_that_notes_has() -> None:
    book = Book()
    convert(calendar(event("RRULE:FREQ=DAILY;COUNT=3"), MOVED), book)
    later = event(
        "RECURRENCE-ID;TZID=W. Europe Standard Time:20260106T090000",
        start=START.replace("0105T09", "0106T16").replace("0105T10", "0106T17"),
        sequence=1,
    )
    (only,) = events_of(convert(calendar(later), book))
    assert value(only, "RECURRENCE-ID") == "20260106T130000Z"
    assert value(only, "RDATE") == "20260106T160000/20260106T170000"
    (gone,) = events_of(convert(calendar(later, method="CANCEL"), book))
    assert value(gone, "RECURRENCE-ID") == "20260106T130000Z"


def test_a_changed_time_has_a_higher_sequence() -> None:
    book = Book()
    convert(calendar(event("RRULE:FREQ=DAILY;COUNT=3")), book)
    same = convert(calendar(event("RRULE:FREQ=DAILY;COUNT=3")), book)
    assert value(events_of(same)[0], "SEQUENCE") == "0"
    other = convert(calendar(event("RRULE:FREQ=DAILY;COUNT=4")), book)
    assert value(events_of(other)[0], "SEQUENCE") == "1"
    later = convert(calendar(event("RRULE:FREQ=DAILY;COUNT=5", sequence=1)), book)
    assert value(events_of(later)[0], "SEQUENCE") == "2"


def test_an_invitation_that_was_overtaken_stays_older() -> None:
    book = Book()
    convert(calendar(event("RRULE:FREQ=DAILY;COUNT=3", sequence=4)), book)
    before = dict(book.memories)
    late = convert(calendar(event("RRULE:FREQ=DAILY;COUNT=2", sequence=3)), book)
    assert value(events_of(late)[0], "SEQUENCE") == "3"
    assert book.memories == before


def test_a_series_is_cancelled_whole() -> None:
    book = Book()
    convert(calendar(event("RRULE:FREQ=DAILY;COUNT=3")), book)
    (only,) = events_of(convert(calendar(event("RRULE:FREQ=DAILY;COUNT=3", sequence=1), method="CANCEL"), book))
    assert "RECURRENCE-ID" not in only


def test_what_is_left_of_a_series_is_cancelled_as_all_future_ones() -> None:
    book = Book()
    convert(calendar(event("RRULE:FREQ=DAILY;COUNT=3")), book)
    one = event("RECURRENCE-ID;TZID=W. Europe Standard Time:20260105T090000", sequence=1)
    convert(calendar(one, method="CANCEL"), book)
    (only,) = events_of(convert(calendar(event("RRULE:FREQ=DAILY;COUNT=3", sequence=2), method="CANCEL"), book))
    assert value(only, "RECURRENCE-ID") == "20260106T080000Z"
    assert only["RECURRENCE-ID"].params["RANGE"] == "THISANDFUTURE"
    assert value(only, "RDATE") == "20260106T080000Z/20260106T090000Z,20260107T080000Z/20260107T090000Z"
    assert "RRULE" not in only


def test_a_meeting_that_becomes_a_series_gets_a_uid_of_its_own() -> None:
    book = Book()
    convert(calendar(event()), book)
    series = convert(calendar(event("RRULE:FREQ=DAILY;COUNT=3", sequence=1)), book)
    (only,) = events_of(series)
    assert value(only, "UID") == again_uid("40000008200E")
    (cancel,) = series.cancels
    (gone,) = cancel.walk("VEVENT")
    assert (text_of(cancel, "METHOD"), text_of(gone, "UID")) == ("CANCEL", "40000008200E")
    assert convert(write_calendar(cancel).decode(), book).calendar == cancel
    later = convert(calendar(event("RRULE:FREQ=DAILY;COUNT=5", sequence=2)), book)
    assert value(events_of(later)[0], "UID") == again_uid("40000008200E")
    assert not later.cancels
    ended = convert(calendar(event("RRULE:FREQ=DAILY;COUNT=5", sequence=3), method="CANCEL"), book)
    assert value(events_of(ended)[0], "UID") == again_uid("40000008200E")


@given(st.text(min_size=1), st.integers(1, 5))
def test_the_first_uid_is_found_again(uid: str, times: int) -> None:
    assume(first_uid(uid) == uid)
    told = uid
    for _ in range(times):
        told = again_uid(told)
    assert first_uid(told) == uid


# Any rule

frequencies = st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"])
days = st.lists(st.sampled_from(["MO", "TU", "WE", "TH", "FR", "SA", "SU"]), min_size=1, max_size=4, unique=True)


@st.composite
def rules(draw: st.DrawFn) -> str:
    """Return a rule of any kind that Outlook or another program may write, with or without an end."""
    frequency = draw(frequencies)
    parts = [f"FREQ={frequency}", f"INTERVAL={draw(st.integers(1, 3))}"]
    kind = draw(st.sampled_from(["plain", "date", "weekday", "nth"]))
    if kind == "date" and frequency in ("MONTHLY", "YEARLY"):
        parts.append(f"BYMONTHDAY={draw(st.sampled_from(['1', '15', '28', '29', '30', '31', '-1', '3,17']))}")
    elif kind == "weekday" and frequency in ("DAILY", "WEEKLY"):
        parts.append(f"BYDAY={','.join(draw(days))}")
        parts += draw(st.sampled_from([[], ["WKST=SU"], ["WKST=MO"]]))
    elif kind == "nth" and frequency == "MONTHLY":
        parts.append(f"BYDAY={draw(st.sampled_from(['1MO', '-1FR', '3WE', '1MO,3MO', '5TU']))}")
    return ";".join([*parts, draw(st.sampled_from(["COUNT=9", "UNTIL=20270630T120000Z", ""]))]).strip(";")


def by_day(moment: datetime) -> datetime:
    """Return a moment between six and twenty: whether a meeting in a night with a change of clocks is as long as ever
    by the clock or in truth, programs disagree."""
    return moment.replace(hour=6 + moment.hour % 14, second=0, microsecond=0)


@settings(deadline=None, max_examples=80)
@given(
    rules(),
    st.datetimes(datetime(2025, 1, 1), datetime(2026, 12, 31)).map(by_day),
    st.sampled_from(["W. Europe Standard Time", "Eastern Standard Time", "India Standard Time", None]),
    st.lists(st.integers(0, 8), max_size=3, unique=True),
    st.lists(st.tuples(st.integers(0, 8), st.integers(-30, 30)), max_size=2, unique_by=lambda one: one[0]),
)
def test_any_series_keeps_its_occurrences(
    rule: str, start: datetime, zone: str | None, gone: list[int], moved: list[tuple[int, int]]
) -> None:
    before = "\r\n".join(_series(rule, start, zone, gone, moved))
    horizon = max(NOW, start.replace(tzinfo=UTC)) + timedelta(days=140)
    expected = occurrences(before, horizon)
    result = convert(before, endless=timedelta(days=150))
    assert occurrences(text_after(result), horizon) == expected


def _series(
    rule: str, start: datetime, zone: str | None, gone: list[int], moved: list[tuple[int, int]]
) -> Iterator[str]:
    """Yield the lines of an invitation; instances are named by where an expansion has them."""
    parameter = f";TZID={zone}" if zone else ""
    mark = "" if zone else "Z"
    form = f"%Y%m%dT%H%M%S{mark}"
    bounded = ";".join(part for part in rule.split(";") if not part.startswith(("UNTIL", "COUNT")))
    slots = list(rrulestr(f"{bounded};COUNT=9", dtstart=start))
    assume(slots and slots[0] == start and slots[-1].year < 2080)
    yield from ("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:x", "METHOD:REQUEST")
    if zone:
        yield from _vtimezone(zone, start.date(), slots[-1].date())
    yield from ("BEGIN:VEVENT", "UID:1", f"DTSTART{parameter}:{start:{form}}")
    yield from (f"DTEND{parameter}:{start + timedelta(minutes=45):{form}}", f"RRULE:{rule}")
    excluded = [slots[at] for at in gone if 0 < at < len(slots)]
    if excluded:
        yield f"EXDATE{parameter}:{','.join(f'{slot:{form}}' for slot in excluded)}"
    yield "END:VEVENT"
    for at, hours in moved:
        if at < len(slots) and slots[at] not in excluded and _is_made(rule, slots, at):
            new = by_day(slots[at] + timedelta(hours=hours)) + timedelta(minutes=7)
            yield from ("BEGIN:VEVENT", "UID:1", f"RECURRENCE-ID{parameter}:{slots[at]:{form}}")
            yield from (f"DTSTART{parameter}:{new:{form}}", f"DTEND{parameter}:{new + timedelta(hours=1):{form}}")
            yield "END:VEVENT"
    yield from ("END:VCALENDAR", "")


def _is_made(rule: str, slots: list[datetime], at: int) -> bool:
    return "UNTIL" not in rule or slots[at] < datetime(2027, 6, 29)


def _vtimezone(zone: str, first: date, last: date) -> list[str]:
    found = zone_of(zone)
    assert found
    octets: bytes = windows_timezone(found, [first, last, date(2029, 1, 1)]).to_ical()
    return octets.decode().strip().split("\r\n")


moments = st.sampled_from(
    [
        "00010101T000000",
        "99991231T235959Z",
        "20260105T090000Z",
        "20260329T023000",
        "20260105",
        "20261025T023000",
        "x",
        "",
    ]
)
zones = st.sampled_from(["", ";TZID=W. Europe Standard Time", ";TZID=Eastern", ";TZID=None", ";VALUE=DATE", ";TZID="])
names = st.sampled_from(["DTSTART", "DTEND", "RECURRENCE-ID", "RECURRENCE-ID;RANGE=THISANDFUTURE", "EXDATE", "RDATE"])
lines = st.one_of(
    st.builds("{}{}:{}".format, names, zones, moments),
    st.builds("RDATE;VALUE=PERIOD{}:{}/{}".format, zones, moments, moments | st.just("PT1H") | st.just("-P99999D")),
    st.builds("DURATION:{}".format, moments | st.sampled_from(["PT1H", "P9999999D", "-PT1H", "P1W"])),
    st.builds("RRULE:{};UNTIL={}".format, rules(), moments),
    st.builds("RRULE:{}".format, rules()),
    st.builds(
        "{}:{}".format, st.sampled_from(["SEQUENCE", "UID", "ATTENDEE", "ORGANIZER", "DTSTAMP"]), st.text(max_size=9)
    ),
    st.text(max_size=40),
)


@settings(deadline=None, max_examples=150)
@given(
    st.lists(st.lists(lines, max_size=7).map("\n".join), min_size=1, max_size=3),
    st.sampled_from(["REQUEST", "CANCEL", "REPLY", "COUNTER", "PUBLISH", "ADD", ""]),
)
def test_any_lines_give_a_calendar(events: list[str], method: str) -> None:
    book = Book()
    for told in (calendar(*events), calendar(*events, method=method)):
        assert text_after(convert(told, book)).startswith("BEGIN:VCALENDAR\r\n")
