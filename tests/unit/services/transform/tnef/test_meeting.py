"""Meetings and tasks as iCalendar, read back by a library."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import icalendar
import pytest

from services.transform.tnef import global_object_id
from services.transform.tnef.carrier import Carrier
from services.transform.tnef.content import content_of
from services.transform.tnef.meeting import Body, is_meeting, meeting_object
from services.transform.tnef.message import Person, read_message
from services.transform.tnef.task import is_task, task_object
from tests.support import tnef as build
from tests.support.tnef import APPOINTMENT, BERLIN, COMMON, MEETING, TASK, zone_definition

NOW = datetime(2024, 1, 1, tzinfo=UTC)
JANE, JOHN, ROOM = (Person(name, f"{name.lower()}@example.com") for name in ("Jane", "John", "Room"))
CARRIER = Carrier(JANE, (JOHN, Person("Bob", "bob@example.com", "cc")), "Plan")
START, END = datetime(2024, 7, 9, 8, tzinfo=UTC), datetime(2024, 7, 9, 9, tzinfo=UTC)
GLOBAL_ID = build.GLOBAL_ID + bytes(24) + b"\x10"


def times(start: datetime = START, end: datetime = END) -> list[bytes]:
    return [build.moment((APPOINTMENT, 0x820D), start), build.moment((APPOINTMENT, 0x820E), end)]


def zone(name: str = "W. Europe Standard Time", rule: build.Rule = BERLIN) -> bytes:
    return build.binary((APPOINTMENT, 0x825E), zone_definition(name, rule))


def calendar(
    message_class: str, values: list[bytes], carrier: Carrier = CARRIER, recipients: tuple[bytes, ...] = ()
) -> Any:
    message = read_message(build.message(message_class, values, recipients=recipients))
    assert is_meeting(message)
    found = meeting_object(message, carrier, lambda _told: Body("Body\r\nof it"), NOW)
    read = icalendar.Calendar.from_ical(found.octets)
    assert read["METHOD"] == found.method
    return read


def event(message_class: str, values: list[bytes], carrier: Carrier = CARRIER) -> Any:
    return calendar(message_class, values, carrier).walk("VEVENT")[0]


@pytest.mark.parametrize(
    ("message_class", "method", "partstat"),
    [
        ("IPM.Schedule.Meeting.Request", "REQUEST", None),
        ("IPM.Microsoft Schedule.MtgReq", "REQUEST", None),
        ("ipm.schedule.meeting.REQUEST.custom", "REQUEST", None),
        ("IPM.Schedule.Meeting.Canceled", "CANCEL", None),
        ("IPM.Microsoft Schedule.MtgCncl", "CANCEL", None),
        ("IPM.Schedule.Meeting.Resp.Pos", "REPLY", "ACCEPTED"),
        ("IPM.Microsoft Schedule.MtgRespN", "REPLY", "DECLINED"),
        ("IPM.Schedule.Meeting.Resp.Tent", "REPLY", "TENTATIVE"),
        ("IPM.Appointment", "PUBLISH", None),
    ],
)
def test_the_class_determines_the_method(message_class: str, method: str, partstat: str | None) -> None:
    found = calendar(message_class, times())
    assert found["METHOD"] == method
    (one,) = found.walk("VEVENT")
    attendees = one.get("ATTENDEE", [])
    if partstat:
        assert (str(attendees), attendees.params["PARTSTAT"]) == ("mailto:jane@example.com", partstat)
        assert str(one["ORGANIZER"]) == "mailto:john@example.com"
        assert one["COMMENT"] == "Body\nof it"
    else:
        assert str(one["ORGANIZER"]) == "mailto:jane@example.com"
        assert [a.params["ROLE"] for a in attendees] == (
            [] if method == "PUBLISH" else ["REQ-PARTICIPANT", "OPT-PARTICIPANT"]
        )
    assert one["STATUS"] == ("CANCELLED" if method == "CANCEL" else "CONFIRMED")


@pytest.mark.parametrize("message_class", ["IPM.Note", "IPM.Schedule.Meeting.Notification.Forward", "IPM.Appointments"])
def test_other_classes_are_no_meetings(message_class: str) -> None:
    assert not is_meeting(read_message(build.message(message_class, times())))


def test_the_streams_own_recipients_go_before_those_of_the_header() -> None:
    rows = (
        build.recipient("Jane", "jane@example.com", flags=2),
        build.recipient("Eve", "eve@example.com", 2),
        build.recipient("Room", "room@example.com", 3),
    )
    message = read_message(build.message("IPM.Schedule.Meeting.Request", times(), recipients=rows))
    carrier, message = Carrier(JOHN, (JANE,), "Plan").completed(message)
    found: Any = icalendar.Calendar.from_ical(meeting_object(message, carrier, lambda _told: Body(), NOW).octets)
    (one,) = found.walk("VEVENT")
    assert str(one["ORGANIZER"]) == "mailto:jane@example.com"
    assert [(str(a), a.params["ROLE"], a.params.get("CUTYPE")) for a in one["ATTENDEE"]] == [
        ("mailto:eve@example.com", "OPT-PARTICIPANT", None),
        ("mailto:room@example.com", "NON-PARTICIPANT", "RESOURCE"),
    ]


def test_times_are_local_in_the_meetings_zone() -> None:
    found = calendar("IPM.Schedule.Meeting.Request", [*times(), zone()])
    (one,) = found.walk("VEVENT")
    assert one["DTSTART"].to_ical() == b"20240709T100000"
    assert one["DTSTART"].params["TZID"] == "W. Europe Standard Time"
    (defined,) = found.walk("VTIMEZONE")
    assert defined["TZID"] == "W. Europe Standard Time"


def test_without_a_zone_times_are_in_utc() -> None:
    found = calendar("IPM.Schedule.Meeting.Request", times())
    (one,) = found.walk("VEVENT")
    assert (one["DTSTART"].to_ical(), one["DTEND"].to_ical()) == (b"20240709T080000Z", b"20240709T090000Z")
    assert not found.walk("VTIMEZONE")


@pytest.mark.parametrize("values", [[zone()], []])
def test_an_all_day_meeting_has_days(values: list[bytes]) -> None:
    span = times(datetime(2024, 7, 8, 22, tzinfo=UTC), datetime(2024, 7, 9, 22, tzinfo=UTC))
    one = event("IPM.Schedule.Meeting.Request", [*span, *values, build.flag((APPOINTMENT, 0x8215), True)])
    assert (one.decoded("DTSTART"), one.decoded("DTEND")) == (date(2024, 7, 9), date(2024, 7, 10))


def test_details_are_converted() -> None:
    values = [
        *times(),
        build.number((APPOINTMENT, 0x8201), 3),
        build.text((APPOINTMENT, 0x8208), "Köln, 4"),
        build.number((APPOINTMENT, 0x8205), 1),
        build.number((APPOINTMENT, 0x8224), 2),
        build.flag((APPOINTMENT, 0x825A), True),
        build.number(0x17, 2),
        build.number(0x36, 2),
        build.number(0x62, 77),
        build.texts((build.PUBLIC_STRINGS, "Keywords"), "Red", "Blue"),
        build.flag((COMMON, 0x8503), True),
        build.number((COMMON, 0x8501), 0x5AE980E1),
        build.binary((MEETING, 0x23), GLOBAL_ID),
        build.moment((MEETING, 0x1A), START - timedelta(days=9)),
    ]
    one = event("IPM.Schedule.Meeting.Request", values)
    assert (one["SEQUENCE"], one["LOCATION"], one["PRIORITY"], one["CLASS"]) == (3, "Köln, 4", 1, "PRIVATE")
    assert (one["X-MICROSOFT-CDO-BUSYSTATUS"], one["X-MICROSOFT-CDO-INTENDEDSTATUS"]) == ("TENTATIVE", "BUSY")
    assert (one["X-MICROSOFT-DISALLOW-COUNTER"], one["X-MICROSOFT-CDO-OWNERAPPTID"]) == ("TRUE", "77")
    assert [str(name) for name in one["CATEGORIES"].cats] == ["Red", "Blue"]
    assert one["UID"] == GLOBAL_ID.hex().upper()
    assert one.decoded("DTSTAMP") == START - timedelta(days=9)
    (alarm,) = one.walk("VALARM")
    assert alarm.decoded("TRIGGER") == timedelta(minutes=-15)


def test_a_proposal_of_another_time_is_a_counter() -> None:
    values = [
        *times(),
        build.flag((APPOINTMENT, 0x8257), True),
        build.moment((APPOINTMENT, 0x8250), START + timedelta(days=1)),
        build.moment((APPOINTMENT, 0x8251), END + timedelta(days=1)),
    ]
    found = calendar("IPM.Schedule.Meeting.Resp.Pos", values)
    assert found["METHOD"] == "COUNTER"
    (one,) = found.walk("VEVENT")
    assert one.decoded("DTSTART") == START + timedelta(days=1)
    assert one["X-MS-OLK-ORIGINALSTART"].to_ical() == b"20240709T080000Z"


def series(**kinds: object) -> bytes:
    octets = build.recurrence(
        0x200B,
        1,
        1,
        (0x04,),
        datetime(2024, 7, 9, 10),
        until=datetime(2024, 12, 31),
        deleted=[datetime(2024, 7, 16)],
        moved=[build.Moved(datetime(2024, 7, 23, 10), datetime(2024, 7, 24, 11), datetime(2024, 7, 24, 12), "Moved €")],
        **kinds,  # type: ignore[arg-type]
    )
    return build.binary((APPOINTMENT, 0x8216), octets)


def test_a_series_has_its_rule_and_its_exceptions() -> None:
    master, moved = calendar("IPM.Schedule.Meeting.Request", [*times(), zone(), series()]).walk("VEVENT")
    assert master["RRULE"].to_ical() == b"FREQ=WEEKLY;UNTIL=20241231T090000Z;INTERVAL=1;BYDAY=TU;WKST=SU"
    assert master["EXDATE"].to_ical() == b"20240716T100000"
    assert moved["UID"] == master["UID"]
    assert moved["RECURRENCE-ID"].to_ical() == b"20240723T100000"
    assert moved["RECURRENCE-ID"].params["TZID"] == "W. Europe Standard Time"
    assert (moved["DTSTART"].to_ical(), moved["DTEND"].to_ical()) == (b"20240724T110000", b"20240724T120000")
    assert moved["SUMMARY"] == "Moved €"


def test_a_series_without_a_zone_keeps_its_distance_from_utc() -> None:
    found = calendar("IPM.Schedule.Meeting.Request", [*times(), series()])
    assert found.walk("VEVENT")[0]["DTSTART"].to_ical() == b"20240709T100000"
    assert found.walk("VTIMEZONE")[0]["TZID"] == "UTC+02:00"
    assert found.walk("VTIMEZONE")[0].walk("STANDARD")[0].decoded("TZOFFSETTO") == timedelta(hours=2)


@pytest.mark.parametrize("message_class", ["IPM.Schedule.Meeting.Canceled", "IPM.Schedule.Meeting.Resp.Pos"])
def test_only_what_sets_up_a_series_repeats_its_exceptions(message_class: str) -> None:
    assert len(calendar(message_class, [*times(), zone(), series()]).walk("VEVENT")) == 1


def test_one_occurrence_is_named_by_its_original_time() -> None:
    of_day = GLOBAL_ID[:16] + bytes((2024 >> 8, 2024 & 0xFF, 7, 16)) + GLOBAL_ID[20:]
    ids = [build.binary((MEETING, 0x3), of_day), build.binary((MEETING, 0x23), GLOBAL_ID)]
    moved = times(START + timedelta(days=8, hours=2), END + timedelta(days=8, hours=2))
    replaced = build.moment((APPOINTMENT, 0x8228), START + timedelta(days=7))
    exact = event("IPM.Schedule.Meeting.Request", [*moved, zone(), *ids, replaced])
    assert exact["RECURRENCE-ID"].to_ical() == b"20240716T100000"
    assert exact["UID"] == GLOBAL_ID.hex().upper()
    by_day = event("IPM.Schedule.Meeting.Canceled", [*times(), zone(), *ids[:1]])
    assert by_day["RECURRENCE-ID"].to_ical() == b"20240716T100000"
    assert by_day["UID"] == GLOBAL_ID.hex().upper()


def test_a_meeting_without_a_start_is_an_error_and_keeps_its_stream() -> None:
    message = read_message(build.message("IPM.Schedule.Meeting.Request", [build.text(0x37, "Plan")]))
    with pytest.raises(ValueError, match="without a start"):
        meeting_object(message, CARRIER, lambda _told: Body(), NOW)
    held = content_of(message, CARRIER, NOW)
    assert not held.is_whole
    assert held.stand_in == "Plan"


def test_a_meeting_without_an_id_has_the_same_uid_each_time() -> None:
    values = [*times(), build.number(0x62, 5)]
    first, again = (event("IPM.Schedule.Meeting.Request", values)["UID"] for _ in range(2))
    assert first == again != event("IPM.Schedule.Meeting.Request", [*times(), build.number(0x62, 6)])["UID"]


def test_the_delegate_who_sends_is_named() -> None:
    carrier = Carrier(JANE, (JOHN,), delegate=Person("Eve", "eve@example.com"))
    request = event("IPM.Schedule.Meeting.Request", times(), carrier)
    assert request["ORGANIZER"].params["SENT-BY"] == "mailto:eve@example.com"
    assert "SENT-BY" not in request["ATTENDEE"].params
    answer = event("IPM.Schedule.Meeting.Resp.Pos", times(), carrier)
    assert answer["ATTENDEE"].params["SENT-BY"] == "mailto:eve@example.com"
    assert "SENT-BY" not in answer["ORGANIZER"].params


def test_nothing_that_a_stream_says_breaks_a_line() -> None:
    """Regression: control characters in addresses and keywords."""
    keywords = build.texts((build.PUBLIC_STRINGS, "Keywords"), "Red\nX:y", "\r")
    values = [*times(), keywords, build.text(0x37, "a\x0bb\r\nc")]
    evil = Carrier(Person('J"\r\nX:1', "j\n@example.com"), (Person("", "a b\r@example.com"),))
    one = event("IPM.Schedule.Meeting.Request", values, evil)
    assert "X" not in one
    assert (str(one["ORGANIZER"]), str(one["ATTENDEE"])) == ("mailto:j@example.com", "mailto:a%20b@example.com")
    assert one["SUMMARY"] == "ab\nc"
    assert [str(name) for name in one["CATEGORIES"].cats] == ["RedX:y"]


def test_a_foreign_uid_is_unwrapped() -> None:
    wrapped = build.GLOBAL_ID + bytes(24) + b"vCal-Uid\x01\0\0\0" + b"abc@example.com\0"
    assert global_object_id.uid(wrapped) == "abc@example.com"
    assert global_object_id.occurrence(wrapped) is None
    assert global_object_id.uid(b"\x01\x02") == "0102"


def task(*values: bytes) -> bytes:
    return build.message("IPM.Task", [build.text(0x37, "Report"), *values])


def todo(message_class: str, inner: bytes, *values: bytes) -> tuple[str, Any]:
    message = read_message(build.message(message_class, values, [build.embedded(inner)]))
    assert is_task(message)
    found = task_object(message, CARRIER, "Do it.", None, NOW)
    (read,) = icalendar.Calendar.from_ical(found.octets).walk("VTODO")
    return found.method, read


def test_a_task_request_is_a_todo_of_the_task_that_is_attached() -> None:
    inner = task(
        build.number((TASK, 0x8101), 1),
        build.real((TASK, 0x8102), bytes.fromhex("000000000000E03F")),
        build.moment((TASK, 0x8104), datetime(2024, 7, 1, tzinfo=UTC)),
        build.moment((TASK, 0x8105), datetime(2024, 7, 31, tzinfo=UTC)),
    )
    method, found = todo("IPM.TaskRequest", inner, build.binary((COMMON, 0x8519), bytes(16)))
    assert method == "REQUEST"
    assert (found["SUMMARY"], found["STATUS"], found["PERCENT-COMPLETE"]) == ("Report", "IN-PROCESS", 50)
    assert (found.decoded("DTSTART"), found.decoded("DUE")) == (date(2024, 7, 1), date(2024, 7, 31))
    assert found["UID"] == "0" * 32
    assert str(found["ORGANIZER"]) == "mailto:jane@example.com"
    assert found["DESCRIPTION"] == "Do it."


@pytest.mark.parametrize(
    ("message_class", "status", "partstat"),
    [
        ("IPM.TaskRequest.Accept", 0, "ACCEPTED"),
        ("IPM.TaskRequest.Decline", 0, "DECLINED"),
        ("IPM.TaskRequest.Update", 1, "IN-PROCESS"),
        ("IPM.TaskRequest.Update", 2, "COMPLETED"),
    ],
)
def test_a_reply_to_a_task_has_its_status(message_class: str, status: int, partstat: str) -> None:
    method, found = todo(message_class, task(build.number((TASK, 0x8101), status)))
    assert method == "REPLY"
    assert (str(found["ATTENDEE"]), found["ATTENDEE"].params["PARTSTAT"]) == ("mailto:jane@example.com", partstat)
    assert str(found["ORGANIZER"]) == "mailto:john@example.com"


def test_what_is_attached_to_the_task_of_a_request_is_not_lost() -> None:
    inner = build.message("IPM.Task", [build.text(0x1000, "Do it.")], [build.attachment(b"plan.txt", b"x")])
    held = content_of(read_message(build.message("IPM.TaskRequest", (), [build.embedded(inner)])), CARRIER, NOW)
    assert [b'name="plan.txt"' in part.fields for part in held.attachments] == [True]
    assert held.text.endswith("Do it.")


def test_the_task_of_a_request_is_no_attachment_beside_its_todo() -> None:
    message = read_message(build.message("IPM.TaskRequest", (), [build.embedded(task())]))
    held = content_of(message, CARRIER, NOW)
    assert held.attachments == ()
    assert held.text.startswith("Subject: Report")
