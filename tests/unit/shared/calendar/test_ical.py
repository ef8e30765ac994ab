"""iCalendar text: what clients write is read, within bounds, and what is written is lawful."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from icalendar import Calendar

from shared.calendar.ical import (
    Text,
    decode_calendar,
    moment_of,
    moments_of,
    put_moment,
    put_moments,
    read_calendars,
    text_of,
    values_of,
    write_calendar,
)
from shared.errors import MalformedCalendar

EVENT = "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n{}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"


def event(*lines: str) -> Calendar:
    (calendar,) = read_calendars(EVENT.format("\r\n".join(lines)))
    return calendar


@pytest.mark.parametrize(
    ("line", "name", "parameter", "value"),
    [
        ("COMMENT;ALTREP=CID:<FF__=0A@x.com>:Hello", "COMMENT", ("ALTREP", "CID:<FF__=0A@x.com>"), "Hello"),
        ('DESCRIPTION;ALTREP="CID:<F@x>":', "DESCRIPTION", ("ALTREP", "CID:<F@x>"), ""),
        ("ORGANIZER;SENT-BY=mailto:a@x;CN=A:mailto:b@x", "ORGANIZER", ("SENT-BY", "mailto:a@x"), "mailto:b@x"),
        ("ORGANIZER;CN=Doe, John:mailto:b@x.com", "ORGANIZER", ("CN", "Doe,John"), "mailto:b@x.com"),
        ('ATTENDEE;CN="A;B:C/Acme" ;RSVP=TRUE:mailto:b@x.com', "ATTENDEE", ("CN", "A;B:C/Acme"), "mailto:b@x.com"),
        ("SUMMARY;LANGUAGE=en-US:a\\, b\\; c\\nd\\\\Name", "SUMMARY", ("LANGUAGE", "en-US"), "a, b; c\nd\\Name"),
        ("X-LOTUS-UPDATE-WISL:$S:1;$L:1;$B:1", "X-LOTUS-UPDATE-WISL", None, "$S:1;$L:1;$B:1"),
        ("X-TEXT:one\r\n two\r\n\tthree", "X-TEXT", None, "onetwothree"),
        ("SUMMARY:lost\r\nits fold", "SUMMARY", None, "lostits fold"),
    ],
)
def test_lines_that_clients_write_are_read(line: str, name: str, parameter: tuple[str, str] | None, value: str) -> None:
    component = event(line).walk("VEVENT")[0]
    (read,) = values_of(component, name)
    assert str(read).replace(", ", ",") == value.replace(", ", ",")
    if parameter:
        assert str(read.params[parameter[0]]).replace(", ", ",") == parameter[1]


def test_a_rule_loses_nothing_by_a_parameter_that_it_must_not_have() -> None:
    component = event("RRULE;TZID=Eastern:FREQ=DAILY;COUNT=5").walk("VEVENT")[0]
    (rule,) = values_of(component, "RRULE")
    assert rule["COUNT"] == [5]


@pytest.mark.parametrize(
    "tzid",
    ["Eastern", "Western/Central Europe", "(UTC+02:00) Athens, Bucharest, Istanbul", "W. Europe Standard Time"],
)
@pytest.mark.parametrize("quote", ["", '"'])
def test_zones_are_read_by_name_quoted_or_bare(tzid: str, quote: str) -> None:
    component = event(f"DTSTART;TZID={quote}{tzid}{quote}:20240102T030405").walk("VEVENT")[0]
    assert moment_of(component, "DTSTART") == (datetime(2024, 1, 2, 3, 4, 5), tzid)


def test_times_of_every_kind() -> None:
    component = event(
        "DTSTART;VALUE=DATE:20240102",
        "DTEND:20240102T030405Z",
        "RDATE;TZID=Eastern;VALUE=PERIOD:20240101T090000/20240101T100000,20240102T090000/PT30M",
        "EXDATE:20240103T000000Z,20240104T000000Z",
        "DURATION:PT1H30M",
    ).walk("VEVENT")[0]
    assert moment_of(component, "DTSTART") == (date(2024, 1, 2), None)
    assert moment_of(component, "DTEND") == (datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC), None)
    assert list(moments_of(component, "RDATE")) == [
        ((datetime(2024, 1, 1, 9), datetime(2024, 1, 1, 10)), "Eastern"),
        ((datetime(2024, 1, 2, 9), timedelta(minutes=30)), "Eastern"),
    ]
    assert [moment for moment, _ in moments_of(component, "EXDATE")] == [
        datetime(2024, 1, 3, tzinfo=UTC),
        datetime(2024, 1, 4, tzinfo=UTC),
    ]
    assert values_of(component, "DURATION")[0].dt == timedelta(minutes=90)


def test_what_cannot_be_read_is_left_out_and_named() -> None:
    component = event("DTSTART:tomorrow", "SEQUENCE:many", "SUMMARY:x").walk("VEVENT")[0]
    assert moment_of(component, "DTSTART") is None
    assert text_of(component, "SUMMARY") == "x"
    assert [name for name, _ in component.errors] == ["DTSTART", "SEQUENCE"]


def test_several_calendars_and_components_without_an_end_are_read() -> None:
    text = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:a\nBEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:b\nEND:VCALENDAR\n"
    calendars = read_calendars(text)
    assert [text_of(one.walk("VEVENT")[0], "UID") for one in calendars] == ["a", "b"]


def test_components_outside_of_a_calendar_get_one() -> None:
    (calendar,) = read_calendars("BEGIN:VEVENT\nUID:a\nEND:VEVENT\n")
    assert text_of(calendar.walk("VEVENT")[0], "UID") == "a"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Hello",
        "BEGIN:VEVENT\n" * 9,
        "X:1\n" * 50_001,
        "X" * (4 * 1024 * 1024 + 1),
    ],
    ids=["nothing", "text", "depth", "lines", "size"],
)
def test_what_is_no_calendar_or_too_much_of_one_is_malformed(text: str) -> None:
    with pytest.raises(MalformedCalendar):
        read_calendars(text)


@pytest.mark.parametrize(
    ("octets", "charset"),
    [
        ("SUMMARY:Grüße".encode(), "utf-8"),
        ("SUMMARY:Grüße".encode("latin-1"), "iso-8859-1"),
        ("X-LOTUS-CHARSET:ISO-8859-1\r\nSUMMARY:Grüße".encode("latin-1"), None),
        ("X-LOTUS-CHARSET:UTF-8\r\nSUMMARY:Grüße".encode("latin-1"), "us-ascii"),
        ("SUMMARY:Grüße".encode(), "us-ascii"),
        (b"\xef\xbb\xbf" + "SUMMARY:Grüße".encode(), "x-unknown"),
        ("SUMMARY:Grüße".encode("utf-16"), "utf-16"),
    ],
)
def test_the_charset_is_the_one_that_fits(octets: bytes, charset: str | None) -> None:
    assert decode_calendar(octets, charset).endswith("SUMMARY:Grüße")


def test_what_is_put_reads_back_with_its_zone() -> None:
    component = event("UID:a").walk("VEVENT")[0]
    local = datetime(2024, 1, 2, 9)
    put_moment(component, "DTSTART", local, "W. Europe Standard Time")
    put_moments(component, "EXDATE", [local, local + timedelta(days=1)], "W. Europe Standard Time")
    put_moment(component, "DTEND", date(2024, 1, 3))
    again = event(*component.to_ical().decode().split("\r\n")[1:-2]).walk("VEVENT")[0]
    assert moment_of(again, "DTSTART") == (local, "W. Europe Standard Time")
    assert list(moments_of(again, "EXDATE")) == [
        (local, "W. Europe Standard Time"),
        (local + timedelta(days=1), "W. Europe Standard Time"),
    ]
    assert moment_of(again, "DTEND") == (date(2024, 1, 3), None)


@given(st.text())
def test_any_text_survives(text: str) -> None:
    component = event("UID:a").walk("VEVENT")[0]
    component["SUMMARY"] = Text(text)
    written = component.to_ical()
    assert all(len(line) <= 75 for line in written.split(b"\r\n"))
    again = event(*written.decode("utf-8", "replace").split("\r\n")[1:-2]).walk("VEVENT")[0]
    kept = "".join("\n" if one == "\r" else one for one in text.replace("\r\n", "\n"))
    visible = "".join(one for one in kept if one in "\n\t" or not (one < " " or one == "\x7f"))
    assert text_of(again, "SUMMARY") == visible.encode("utf-8", "replace").decode()


names = st.sampled_from(["BEGIN", "END", "DTSTART", "RRULE", "RDATE", "EXDATE", "ATTENDEE", "TZID", "X-A", "DURATION"])
values = st.sampled_from(
    ["VCALENDAR", "VEVENT", "VALARM", "20240101", "20240101T000000Z", "P1D", "FREQ=DAILY", "20240101/P1D", "mailto:x"]
)
lines = st.builds(
    lambda name, parameters, value: name + parameters + ":" + value,
    names,
    st.text(';="TZIDVALUE:,PERIODate', max_size=12),
    values | st.text(max_size=12),
)


@settings(max_examples=300)
@given(st.lists(lines | st.text(max_size=20), max_size=20))
def test_any_lines_are_read_or_refused_and_what_was_read_can_be_written(pieces: list[str]) -> None:
    try:
        calendars = read_calendars("\r\n".join(pieces))
    except MalformedCalendar:
        return
    for calendar in calendars:
        written = write_calendar(calendar)
        assert b"\n" not in written.replace(b"\r\n", b"")
        for again in read_calendars(written.decode()):
            assert write_calendar(again) == written


@given(st.binary(max_size=200), st.sampled_from([None, "utf-8", "utf-16", "iso-2022-jp", "x"]))
def test_any_octets_decode(octets: bytes, charset: str | None) -> None:
    assert isinstance(decode_calendar(octets, charset), str)


@pytest.mark.parametrize("unit", ['"', ";A=", "\\", ";TZID=", "^", ":", ",", ";ALTREP=cid:<", ";TZID=(UTC", "\n "])
def test_reading_takes_linear_time(unit: str) -> None:
    """A megabyte of anything is read within the limits of the test run, not of the universe."""
    read_calendars("BEGIN:VEVENT\nATTENDEE" + unit * (1_000_000 // len(unit)) + ":x\n")
