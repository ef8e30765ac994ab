"""Meetings of Notes in Outlook's calendar, through their lives."""

from __future__ import annotations

import dataclasses
import email
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.message import Message
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.transform.pipeline import Context, Conversion, convert
from services.transform.steps import calendar_to_exchange
from shared.configuration.transform import RecurrenceNotice, TransformSettings
from shared.mail.edits import apply
from shared.spool.memory import Memory
from tests.support.icalendar_reader import read_fresh
from tests.support.notes_calendar import TIMEZONE, NotesMeeting, message
from tests.support.outlook_calendar import OutlookCalendar, calendar_of, spans
from tests.support.recurrence_rules import rules

CORPUS = Path(__file__).parents[4] / "corpus" / "calendar_to_exchange"
PAIRS = sorted(path for path in CORPUS.glob("*.eml") if not path.name.endswith(".expected.eml"))

MakeContext = Callable[[str, str], Context]


@dataclass
class Gateway:
    """The step between a Notes user and an Outlook calendar, with the memory that a spool keeps between messages."""

    context: Context
    outlook: OutlookCalendar = field(default_factory=OutlookCalendar)
    memories: dict[str, tuple[int, str]] = field(default_factory=dict)

    def recall(self, key: str) -> Memory:
        version, value = self.memories.get(key, (0, "null"))
        return Memory(version, json.loads(value))

    def convert(self, content: bytes) -> Conversion:
        context = dataclasses.replace(self.context, recall=self.recall, now=1_700_000_000.0)
        conversion = convert(content, context, [calendar_to_exchange.STEP])
        assert not [report.failure for report in conversion.reports if report.failure]
        return conversion

    def carry(self, content: bytes) -> list[Message]:
        """Carry one message; return what arrives."""
        conversion = self.convert(content)
        arriving = [apply(content, conversion.edits)]
        for extra in conversion.extra_messages:
            assert not extra.is_notice
            assert self.convert(extra.content).edits == ()
            arriving.append(extra.content)
        for memory in conversion.memories:
            assert memory.version == self.recall(memory.key).version
            self.memories[memory.key] = (memory.version + 1, json.dumps(memory.value))
        received = [email.message_from_bytes(one) for one in arriving]
        for one in received:
            self.outlook.receive(one)
        return received


@pytest.fixture
def gateway(make_context: MakeContext) -> Gateway:
    return Gateway(make_context("domino", "exchange"))


def day(number: int, hour: int = 9, month: int = 1) -> datetime:
    return datetime(2024, month, number, hour)


WEEK = [day(number) for number in range(8, 13)]


def daily() -> NotesMeeting:
    return NotesMeeting.at(WEEK, "FREQ=DAILY;COUNT=5")


def odd() -> NotesMeeting:
    """Twice a month, which no rule of Outlook says."""
    starts = [day(number, month=month) for month in range(1, 5) for number in (4, 18)]
    return NotesMeeting.at(starts, "FREQ=MONTHLY;BYMONTHDAY=4,18;COUNT=8")


def rule_of(received: list[Message]) -> str:
    event = calendar_of(received[0]).events[0]
    rule: Any = event.get("RRULE")
    return str(rule.to_ical().decode()) if rule else ""


@pytest.mark.parametrize("pair", PAIRS, ids=lambda path: path.stem)
def test_corpus_pair(pair: Path, make_context: MakeContext) -> None:
    content = pair.read_bytes()
    context = dataclasses.replace(make_context("domino", "exchange"), now=1_700_000_000.0)
    conversion = convert(content, context, [calendar_to_exchange.STEP])
    assert not [report.failure for report in conversion.reports if report.failure]
    result = apply(content, conversion.edits)
    assert result == pair.with_name(f"{pair.stem}.expected.eml").read_bytes()
    assert convert(result, context, [calendar_to_exchange.STEP]).edits == ()


def test_a_reschedule_of_all_is_an_update_of_the_series(gateway: Gateway) -> None:
    meeting = daily()
    gateway.carry(meeting.invite())
    received = gateway.carry(meeting.reschedule(timedelta(hours=1)))
    assert rule_of(received) == "FREQ=DAILY;COUNT=5"
    assert gateway.outlook.spans() == meeting.spans()
    assert gateway.outlook.cancellations == 0
    assert list(gateway.outlook.meetings) == [meeting.uid]
    assert gateway.outlook.sequences[meeting.uid] == 1


def test_an_invitation_rescheduled_updated_and_moved_ends_the_same_on_both_sides(gateway: Gateway) -> None:
    """Create, reschedule all, update, reschedule one: as the calendars that CalConnect published."""
    meeting = daily()
    for sent in (
        meeting.invite(),
        meeting.reschedule(timedelta(hours=1)),
        meeting.update(),
        meeting.move(WEEK[1], day(9, 14)),
        meeting.reschedule(timedelta(), timedelta(minutes=30)),
    ):
        gateway.carry(sent)
    assert gateway.outlook.spans() == meeting.spans()
    assert gateway.outlook.cancellations == 0
    assert len(gateway.outlook.meetings) == 1


def test_one_moved_instance_is_an_override_in_its_slot(gateway: Gateway) -> None:
    meeting = daily()
    gateway.carry(meeting.invite())
    (received,) = gateway.carry(meeting.move(WEEK[2], day(10, 15)))
    (event,) = calendar_of(received).events
    slot: Any = event["RECURRENCE-ID"]
    assert slot.dt.replace(tzinfo=None) == WEEK[2]
    assert gateway.outlook.spans() == meeting.spans()


def test_an_instance_moved_past_its_neighbour_leaves_the_series(gateway: Gateway) -> None:
    meeting = daily()
    gateway.carry(meeting.invite())
    gateway.carry(meeting.move(WEEK[0], day(11, 15)))
    assert gateway.outlook.spans() == meeting.spans()
    gateway.carry(meeting.move(WEEK[0], day(15, 10)))
    assert gateway.outlook.spans() == meeting.spans()
    gateway.carry(meeting.cancel(WEEK[0]))
    assert gateway.outlook.spans() == meeting.spans()


def test_this_and_all_future_ones_are_one_message(gateway: Gateway) -> None:
    meeting = NotesMeeting.at([day(1) + timedelta(weeks=week) for week in range(8)], "FREQ=WEEKLY;BYDAY=MO;COUNT=8")
    gateway.carry(meeting.invite())
    received = gateway.carry(meeting.move_from(day(22), timedelta(hours=2)))
    assert len(received) == 1
    assert gateway.outlook.spans() == meeting.spans()
    received = gateway.carry(meeting.cancel_from(day(5, month=2)))
    assert len(received) == 1
    assert gateway.outlook.spans() == meeting.spans()
    assert gateway.outlook.cancellations == 0


def test_cancelled_instances_and_then_all_leave_nothing(gateway: Gateway) -> None:
    meeting = daily()
    gateway.carry(meeting.invite())
    gateway.carry(meeting.cancel(WEEK[1]))
    assert gateway.outlook.spans() == meeting.spans()
    gateway.carry(meeting.cancel_all())
    assert gateway.outlook.spans() == []


def test_a_person_who_is_added_gets_the_series_and_the_others_keep_it(gateway: Gateway) -> None:
    meeting = daily()
    gateway.carry(meeting.invite())
    gateway.carry(meeting.move(WEEK[1], day(9, 14)))
    newcomer = Gateway(gateway.context, memories=dict(gateway.memories))
    newcomer.carry(meeting.update())
    assert newcomer.outlook.spans() == meeting.spans()
    gateway.memories = newcomer.memories
    gateway.carry(meeting.reschedule(timedelta(minutes=15)))
    assert gateway.outlook.spans() == meeting.spans()


def test_what_no_rule_says_becomes_single_meetings_that_follow_every_change(gateway: Gateway) -> None:
    meeting = odd()
    assert len(gateway.carry(meeting.invite())) == 8
    assert gateway.outlook.spans() == meeting.spans()
    uids = set(gateway.outlook.meetings)
    gateway.carry(meeting.reschedule(timedelta(hours=3)))
    assert gateway.outlook.spans() == meeting.spans()
    assert set(gateway.outlook.meetings) == uids
    gateway.carry(meeting.move(day(18), day(19)))
    gateway.carry(meeting.move_from(day(4, month=4), timedelta(days=1)))
    assert gateway.outlook.spans() == meeting.spans()
    assert gateway.outlook.cancellations == 0
    gateway.carry(meeting.cancel(day(4, month=2)))
    gateway.carry(meeting.cancel_from(day(18, month=3)))
    assert gateway.outlook.spans() == meeting.spans()
    gateway.carry(meeting.cancel_all())
    assert gateway.outlook.spans() == []


def test_a_series_that_no_rule_says_any_more_is_not_cancelled(gateway: Gateway) -> None:
    meeting = daily()
    gateway.carry(meeting.invite())
    for first, start in zip(WEEK, (day(8), day(8, 15), day(20), day(21, 7), day(21, 12)), strict=True):
        meeting.dates[first] = (start, start + timedelta(hours=1))
    gateway.carry(meeting.reschedule(timedelta(minutes=5)))
    assert gateway.outlook.spans() == meeting.spans()
    assert gateway.outlook.cancellations == 0
    assert meeting.uid in gateway.outlook.meetings
    gateway.carry(meeting.reschedule(timedelta(days=1)))
    assert gateway.outlook.spans() == meeting.spans()


def test_weekends_that_shift_a_monthly_date_are_overrides(gateway: Gateway) -> None:
    starts = [datetime(2024, month, 15, 9) for month in range(1, 13)]
    moved = [one - timedelta(days=max(0, one.weekday() - 4)) for one in starts]
    meeting = NotesMeeting({one: (one, one + timedelta(hours=1)) for one in moved}, None)
    received = gateway.carry(meeting.invite())
    assert rule_of(received) == "FREQ=MONTHLY;COUNT=12;BYMONTHDAY=15"
    assert gateway.outlook.spans() == meeting.spans()


def test_a_list_of_periods_without_an_earlier_invitation_is_a_series(gateway: Gateway) -> None:
    meeting = NotesMeeting.at(WEEK, None)
    received = gateway.carry(meeting.update())
    assert rule_of(received) == "FREQ=DAILY;COUNT=5"
    assert gateway.outlook.spans() == meeting.spans()


def test_a_notice_tells_the_organizer_and_leaves_the_recurrence(gateway: Gateway) -> None:
    notice = RecurrenceNotice(text="Ask the help desk.", also=["admin@example.com"])
    wished = TransformSettings(unsupported_recurrence="notice", unsupported_recurrence_notice=notice)
    gateway.context = dataclasses.replace(gateway.context, settings=wished)
    conversion = gateway.convert(odd().invite())
    (sent_notice,) = conversion.extra_messages
    assert sent_notice.is_notice
    assert sent_notice.recipients == ("john@example.com", "admin@example.com")
    sent = email.message_from_bytes(sent_notice.content)
    assert sent["To"] == "john@example.com, admin@example.com"
    assert "Ask the help desk." in sent.get_payload()
    assert "2024-01-04 14:00 - 15:00 UTC" in sent.get_payload()
    assert b"RRULE:FREQ=MONTHLY;COUNT=8;BYMONTHDAY=4,18" in apply(odd().invite(), conversion.edits)
    assert conversion.memories == ()


def test_pass_tells_nobody(gateway: Gateway) -> None:
    wished = TransformSettings(unsupported_recurrence="pass")
    gateway.context = dataclasses.replace(gateway.context, settings=wished)
    assert gateway.convert(odd().invite()).extra_messages == ()


def test_a_late_message_stays_below_the_sequence_and_changes_nothing(gateway: Gateway) -> None:
    meeting = daily()
    first = meeting.invite()
    gateway.carry(first)
    gateway.carry(meeting.reschedule(timedelta(hours=1)))
    before = dict(gateway.memories)
    (late,) = gateway.carry(first)
    event: Any = calendar_of(late).events[0]
    assert int(event["SEQUENCE"]) == 0
    assert gateway.outlook.spans() == meeting.spans()
    assert gateway.memories == before


def test_a_person_who_is_taken_out_loses_it_and_the_meeting_goes_on(gateway: Gateway) -> None:
    meeting = daily()
    gateway.carry(meeting.invite())
    leaving = Gateway(gateway.context, OutlookCalendar(dict(gateway.outlook.meetings)), dict(gateway.memories))
    dates = dict(meeting.dates)
    leaving.carry(meeting.cancel_all().replace(b"X-LOTUS-NOTICETYPE:C", b"X-LOTUS-NOTICETYPE:Z"))
    assert leaving.outlook.spans() == []
    assert leaving.memories == gateway.memories
    meeting.dates = dates
    gateway.carry(meeting.move(WEEK[2], day(10, 15)))
    assert gateway.outlook.spans() == meeting.spans()


def test_a_person_invited_from_one_instance_on_gets_a_series_of_those(gateway: Gateway) -> None:
    meeting = daily()
    gateway.carry(meeting.invite())
    sent = meeting.move_from(WEEK[2], timedelta()).replace(b"X-LOTUS-NOTICETYPE:U", b"X-LOTUS-NOTICETYPE:I")
    newcomer = Gateway(gateway.context, memories=dict(gateway.memories))
    assert rule_of(newcomer.carry(sent)) == "FREQ=DAILY;COUNT=3"
    assert newcomer.outlook.spans() == meeting.spans()[2:]
    assert newcomer.memories == gateway.memories


REPLY = """\
BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Lotus Development Corporation//NONSGML Notes 8.5.2//EN_S
METHOD:REPLY
BEGIN:VEVENT
DTSTART:20240108T140000Z
DTEND:20240108T150000Z
RDATE;VALUE=PERIOD:20240108T140000Z/20240108T150000Z
RECURRENCE-ID:20240108T140000Z
DTSTAMP:20240101T120000Z
SEQUENCE:3
ATTENDEE;PARTSTAT=ACCEPTED;CN="John Doe/Sales/Acme":mailto:john@notes.example.com
ORGANIZER;CN="Jane Roe":mailto:jane@exchange.example.com
UID:{uid}
ATTACH:CID:<gone@notes.example.com>
X-LOTUS-NOTICETYPE:A
END:VEVENT
END:VCALENDAR
"""


def test_an_answer_names_the_meeting_as_exchange_knows_it(gateway: Gateway) -> None:
    """Notes was told a later SEQUENCE and another slot than Exchange has."""
    told = {
        "format": 1,
        "uid": "040000",
        "organizer_side": "exchange",
        "rule": "",
        "zone": "UTC",
        "sequence": 3,
        "source_sequence": 1,
        "instances": [[1704726000, 1704722400, 1704722400, 1704726000, 0]],
    }
    gateway.memories["series:notes:040000"] = (1, json.dumps(told))
    content = message(REPLY.format(uid="040000"), "REPLY")
    event = calendar_of(email.message_from_bytes(apply(content, gateway.convert(content).edits))).events[0]
    identity: Any = event
    assert identity["SEQUENCE"] == 1
    assert identity["RECURRENCE-ID"].to_ical() == b"20240108T150000Z"
    assert str(identity["ATTENDEE"]) == "mailto:john@example.com"
    assert identity["ATTENDEE"].params["PARTSTAT"] == "ACCEPTED"
    assert "ATTACH" not in event


def test_an_answer_to_a_single_meeting_of_a_series_names_the_series(gateway: Gateway) -> None:
    content = message(REPLY.format(uid="040000-causeway-20240110T090000Z"), "REPLY")
    event: Any = calendar_of(email.message_from_bytes(apply(content, gateway.convert(content).edits))).events[0]
    assert str(event["UID"]) == "040000"
    assert event["RECURRENCE-ID"].to_ical() == b"20240110T090000Z"


@pytest.mark.parametrize(("source", "destination"), [("exchange", "domino"), ("domino", "domino")])
def test_only_what_leaves_notes_is_converted(source: str, destination: str, make_context: MakeContext) -> None:
    conversion = convert(daily().invite(), make_context(source, destination), [calendar_to_exchange.STEP])
    assert conversion.reports == ()


def test_a_calendar_that_somebody_attached_stays(gateway: Gateway) -> None:
    content = daily().invite().replace(b"METHOD:REQUEST\r\n", b"").replace(b"; method=REQUEST", b"")
    content = content.replace(b"X-LOTUS-NOTICETYPE:I\r\n", b"")
    assert gateway.convert(content).edits == ()


def test_a_published_calendar_stays_one(gateway: Gateway) -> None:
    first = daily().invite().replace(b"METHOD:REQUEST", b"METHOD:PUBLISH").replace(b"method=REQUEST", b"method=PUBLISH")
    event = first[first.index(b"BEGIN:VEVENT") : first.index(b"END:VCALENDAR")]
    content = first.replace(b"END:VCALENDAR", event.replace(b"UID:6BA1", b"UID:7BA1") + b"END:VCALENDAR")
    conversion = gateway.convert(content)
    assert (conversion.extra_messages, conversion.memories) == ((), ())
    result = apply(content, conversion.edits)
    assert result.count(b"BEGIN:VEVENT") == 2
    assert b"RRULE:FREQ=DAILY;COUNT=5" in result
    assert b"X-LOTUS" not in result


def test_two_meetings_in_one_request_become_two_messages(gateway: Gateway) -> None:
    first = daily().invite()
    event = first[first.index(b"BEGIN:VEVENT") : first.index(b"END:VCALENDAR")]
    gateway.carry(first.replace(b"END:VCALENDAR", event.replace(b"UID:6BA1", b"UID:7BA1") + b"END:VCALENDAR"))
    assert len(gateway.outlook.meetings) == 2


def test_a_meeting_without_a_uid_gets_the_same_one_each_time(gateway: Gateway) -> None:
    content = daily().invite().replace(b"UID:6BA1ECA4D58B306C85256FDB0071B664-Lotus_Notes_Generated\r\n", b"")
    gateway.carry(content)
    gateway.carry(content)
    assert len(gateway.outlook.meetings) == 1


moves = st.one_of(
    st.tuples(st.just("reschedule"), st.integers(-50, 50), st.just(0)),
    st.tuples(st.just("move"), st.integers(0, 9), st.integers(-60, 60)),
    st.tuples(st.just("move_from"), st.integers(0, 9), st.integers(-3, 30)),
    st.tuples(st.just("cancel"), st.integers(0, 9), st.just(0)),
    st.tuples(st.just("cancel_from"), st.integers(0, 9), st.just(0)),
    st.tuples(st.just("update"), st.just(0), st.just(0)),
)
series = st.sampled_from(
    [
        ("FREQ=DAILY;COUNT=6", [day(8 + number) for number in range(6)]),
        ("FREQ=WEEKLY;BYDAY=MO;COUNT=6", [day(1) + timedelta(weeks=number) for number in range(6)]),
        ("FREQ=MONTHLY;BYMONTHDAY=4,18;COUNT=6", [day(n, month=m) for m in (1, 2, 3) for n in (4, 18)]),
        ("FREQ=WEEKLY;BYDAY=TU,TH;COUNT=6", [day(n, 23, 3) for n in (5, 7, 12, 14, 19, 21)]),
        ("FREQ=MONTHLY;BYDAY=-1FR;COUNT=4", [day(26), day(23, month=2), day(29, month=3), day(26, month=4)]),
    ]
)


ANY = """\
BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Lotus Development Corporation//NONSGML Notes 8.5.2//EN_S
METHOD:REQUEST
{timezone}
BEGIN:VEVENT
{times}
RRULE:{rule}
DTSTAMP:20240101T120000Z
UID:6BA1ECA4D58B306C85256FDB0071B664-Lotus_Notes_Generated
ORGANIZER:mailto:john@notes.example.com
SUMMARY:Plans
END:VEVENT
END:VCALENDAR
"""
LOCAL = "DTSTART;TZID=Eastern:{0}T{1}\nDTEND;TZID=Eastern:{0}T{2}"

HOURS = [("090000", "100000"), ("230000", "233000")]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rules(),
    st.sampled_from(["20240229", "20240131", "20240310"]),
    st.sampled_from([LOCAL.format("{0}", *hours) for hours in HOURS] + ["DTSTART;VALUE=DATE:{0}"]),
)
def test_any_rule_keeps_its_dates_or_takes_the_unsupported_way(
    make_context: MakeContext, rule: str, day: str, times: str
) -> None:
    gateway = Gateway(make_context("domino", "exchange"))
    zone = TIMEZONE if "TZID" in times else "X-NOTHING:x"
    if "VALUE=DATE" in times:
        rule = rule.replace("T000000Z", "")
    text = ANY.format(rule=rule, times=times.format(day), timezone=zone)
    before = read_fresh(text.replace("\n", "\r\n"))
    content = message(text)
    conversion = gateway.convert(content)
    if any(one.is_notice for one in conversion.extra_messages):
        assert not [one for one in conversion.extra_messages if not one.is_notice]
        assert len(spans(before)) > 400
        return
    gateway.carry(content)
    assert gateway.outlook.spans() == spans(before)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(series, st.lists(moves, min_size=1, max_size=5))
def test_any_life_of_a_meeting_ends_the_same_on_both_sides(
    make_context: MakeContext, born: tuple[str, list[datetime]], life: list[tuple[str, int, int]]
) -> None:
    gateway = Gateway(make_context("domino", "exchange"))
    meeting = NotesMeeting.at(born[1], born[0])
    gateway.carry(meeting.invite())
    for change, at, hours in life:
        left = sorted(meeting.dates)
        if not left:
            break
        first, by = left[at % len(left)], timedelta(hours=hours)
        moving = {"move": [first], "move_from": [one for one in left if one >= first]}.get(change, [])
        still = {meeting.dates[one][0] for one in left if one not in moving}
        if still & {meeting.dates[one][0] + by for one in moving}:
            continue  # of two that begin together, no list of periods says later which is which
        if change == "update":
            sent = meeting.update()
        elif change == "reschedule":
            sent = meeting.reschedule(timedelta(hours=at))
        elif change == "move":
            sent = meeting.move(first, meeting.dates[first][0] + by)
        elif change == "move_from":
            sent = meeting.move_from(first, by)
        elif change == "cancel":
            sent = meeting.cancel(first)
        else:
            sent = meeting.cancel_from(first)
        gateway.carry(sent)
        assert gateway.outlook.spans() == meeting.spans()
