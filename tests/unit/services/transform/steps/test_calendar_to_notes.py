"""Invitations and answers of Exchange and Outlook on their way to Notes, whole messages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.transform.calendar.memory import MeetingMemory, memory_key
from services.transform.calendar.part import places, read_text
from services.transform.calendar.sent import SentInstance, SentMeeting
from services.transform.calendar.uids import again_uid, single_uid
from services.transform.pipeline import Context, Conversion, convert
from services.transform.steps import calendar_to_exchange, calendar_to_notes
from shared.calendar.ical import read_calendars, text_of, values_of
from shared.calendar.moments import Occurrence
from shared.configuration.transform import TransformSettings
from shared.errors import MalformedCalendar
from shared.mail.body import decode_text
from shared.mail.edits import apply
from shared.mail.mime import parse
from shared.spool.memory import Memory
from tests.support.systems import EXCHANGE, NOTES
from tests.unit.shared.calendar.oracle import occurrences

CORPUS = Path(__file__).parents[4] / "corpus" / "calendar_to_notes"
PAIRS = sorted(path for path in CORPUS.glob("*.eml") if not path.name.endswith(".expected.eml"))
UNCHANGED = {"utc_needs_no_change", "signed_is_not_entered", "attached_calendar_is_a_file"}
NOTES_UID = "E88157FE01BE8A5C85256FDB006EBCC3-Lotus_Notes_Generated"

MakeContext = Callable[[str, str], Context]


@pytest.fixture
def context(make_context: MakeContext) -> Context:
    made = make_context("exchange", "domino")
    envelope = replace(made.envelope, sender="jane@exchange.example.com", source="exchange")
    now = datetime(2026, 1, 5, 12, tzinfo=UTC).timestamp()
    return replace(made, envelope=envelope, source=EXCHANGE, destination=NOTES, now=now, hostname="gw.example.com")


def conversion_of(content: bytes, context: Context) -> Conversion:
    conversion = convert(content, context, [calendar_to_notes.STEP])
    assert not [report.failure for report in conversion.reports if report.failure]
    return conversion


def calendar_text(content: bytes) -> str:
    (place,) = places(parse(content))
    return read_text(content, place.entity)


@pytest.mark.parametrize("pair", PAIRS, ids=lambda path: path.stem)
def test_corpus_pair(pair: Path, context: Context) -> None:
    content = pair.read_bytes()
    expected = pair.with_name(f"{pair.stem}.expected.eml").read_bytes()
    result = apply(content, conversion_of(content, context).edits)
    assert result == expected
    assert (result == content) == (pair.stem.partition(".")[2] in UNCHANGED)
    assert apply(result, conversion_of(result, context).edits) == result


@pytest.mark.parametrize(
    "pair", [pair for pair in PAIRS if pair.stem.partition(".")[2] not in UNCHANGED], ids=lambda path: path.stem
)
def test_the_occurrences_are_the_same_for_another_program(pair: Path, context: Context) -> None:
    content = pair.read_bytes()
    result = apply(content, conversion_of(content, context).edits)
    horizon = datetime.fromtimestamp(context.now, UTC) + timedelta(days=700)
    assert occurrences(calendar_text(result), horizon) == occurrences(calendar_text(content), horizon)


def test_only_what_comes_to_notes_from_elsewhere_is_touched(make_context: MakeContext) -> None:
    content = (CORPUS / "exchange-to-domino.endless_series.eml").read_bytes()
    for source, destination in (("domino", "domino"), ("domino", "exchange"), ("exchange", "exchange")):
        assert not convert(content, make_context(source, destination), [calendar_to_notes.STEP]).reports


def test_a_series_without_an_end_is_told_of_in_every_form_of_the_body(context: Context) -> None:
    content = (CORPUS / "exchange-to-domino.endless_series.eml").read_bytes()
    result = apply(content, conversion_of(content, context).edits)
    plain, html, calendar = parse(result).children
    for part in (plain, html):
        assert "has no end" in decode_text(result, part)
    assert calendar.parameters["method"] == "REQUEST"


def test_back_in_exchange_a_meeting_is_what_it_was(context: Context) -> None:
    """Exchange → Notes → Exchange: occurrences, UID, attendees with their answers."""
    for name in ("monthly_on_day_31", "moved_and_left_out", "all_day_series", "endless_series"):
        content = (CORPUS / f"exchange-to-domino.{name}.eml").read_bytes()
        noted = apply(content, conversion_of(content, context).edits)
        way_back = replace(context, source=NOTES, destination=EXCHANGE)
        back = apply(noted, convert(noted, way_back, [calendar_to_exchange.STEP]).edits)
        assert back != noted
        texts = [calendar_text(one) for one in (noted, back)]
        assert occurrences(texts[0]) == occurrences(texts[1])
        assert people(texts[0]) == people(texts[1])


def people(text: str) -> set[tuple[str, ...]]:
    (one,) = read_calendars(text)
    return {
        (text_of(event, "UID"), text_of(event, "STATUS"), str(person), str(person.params["PARTSTAT"]))
        for event in one.walk("VEVENT")
        for person in values_of(event, "ATTENDEE")
    }


@pytest.mark.parametrize(
    "line", ["RRULE:COUNT=3", "RRULE:FREQ=DAILY;COUNT=x", "RDATE:20261301T000000Z", "RDATE;VALUE=PERIOD:20260106T13/x"]
)
def test_a_meeting_with_a_time_that_cannot_be_read_stays_as_it_is(line: str, context: Context) -> None:
    content = message(calendar("REQUEST", line, "ORGANIZER:mailto:jane@exchange.example.com"))
    conversion = convert(content, context, [calendar_to_notes.STEP])
    assert not conversion.edits
    assert isinstance(conversion.reports[0].failure, MalformedCalendar)


def test_the_organizer_of_a_meeting_that_cannot_be_read_is_told_once(context: Context) -> None:
    content = message(calendar("REQUEST", "RRULE:COUNT=3", "ORGANIZER:mailto:jane@exchange.example.com"))
    first = convert(content, context, [calendar_to_notes.STEP])
    (notice,) = first.extra_messages
    assert notice.is_notice
    assert notice.recipients == ("jane@exchange.example.com",)
    assert b"RRULE cannot be read" in notice.content
    (memory,) = first.memories
    told = replace(context, recall=lambda key: Memory(1, memory.value) if key == memory.key else Memory())
    assert not convert(content, told, [calendar_to_notes.STEP]).extra_messages


# Answers to meetings of Notes

SLOTS = [datetime(2026, 1, day, 13, tzinfo=UTC) for day in (5, 6)]
HOUR = timedelta(hours=1)
SENT = SentMeeting(
    NOTES_UID,
    tuple(
        SentInstance(slot - HOUR, slot, Occurrence(slot, slot + HOUR), sequence=3, source_sequence=1) for slot in SLOTS
    ),
    "FREQ=DAILY;COUNT=2",
    sequence=3,
    source_sequence=1,
)
"""What Exchange was sent of a series that Notes moved by an hour: the slots are new, and so is SEQUENCE."""


def remembering(context: Context, sent: SentMeeting, side: str = "exchange") -> Context:
    key = memory_key(side, sent.uid, "john@example.com")
    memory = Memory(1, MeetingMemory(sent=sent).to_json())
    return replace(context, recall=lambda asked: memory if asked == key else Memory())


def test_an_answer_names_sequence_and_slot_as_notes_has_them(context: Context) -> None:
    content = (CORPUS / "exchange-to-domino.reply_to_notes.eml").read_bytes()
    result = apply(content, conversion_of(content, remembering(context, SENT)).edits)
    text = calendar_text(result)
    assert f"UID:{NOTES_UID}\r\n" in text
    assert "SEQUENCE:1\r\n" in text
    assert "RECURRENCE-ID:20260106T120000Z\r\n" in text
    assert "X-LOTUS-NOTICETYPE:P\r\n" in text


@pytest.mark.parametrize(
    ("status", "method", "notice"),
    [
        ("ACCEPTED", "REPLY", "A"),
        ("DECLINED", "REPLY", "R"),
        ("TENTATIVE", "REPLY", "P"),
        ("DELEGATED", "REPLY", "D"),
        ("TENTATIVE", "COUNTER", "T"),
    ],
)
def test_an_answer_says_what_it_is(status: str, method: str, notice: str, context: Context) -> None:
    content = message(calendar(method, f"ATTENDEE;PARTSTAT={status}:mailto:jane@example.com", uid=NOTES_UID))
    result = apply(content, conversion_of(content, context).edits)
    assert f"X-LOTUS-NOTICETYPE:{notice}\r\n" in calendar_text(result)


def test_an_answer_to_a_single_meeting_of_a_series_goes_to_its_instance(context: Context) -> None:
    told = replace(SENT, instances=tuple(replace(one, is_apart=True) for one in SENT.instances))
    uid = single_uid(NOTES_UID, SENT.instances[1].original)
    content = message(calendar("REPLY", "ATTENDEE;PARTSTAT=ACCEPTED:mailto:jane@example.com", uid=uid))
    text = calendar_text(apply(content, conversion_of(content, remembering(context, told)).edits))
    assert f"UID:{NOTES_UID}\r\n" in text
    assert "RECURRENCE-ID:20260106T120000Z\r\n" in text
    assert "SEQUENCE:1\r\n" in text


# The life of a meeting


def test_a_meeting_that_becomes_a_series_is_told_as_another_one(context: Context) -> None:
    single = message(calendar("REQUEST", "SEQUENCE:0"))
    (memory,) = conversion_of(single, context).memories
    series = message(calendar("REQUEST", "SEQUENCE:1", "RRULE:FREQ=DAILY;COUNT=3"))
    later = replace(context, recall=lambda key: Memory(1, memory.value) if key == memory.key else Memory())
    conversion = conversion_of(series, later)
    assert f"UID:{again_uid('meeting')}\r\n" in calendar_text(apply(series, conversion.edits))
    (beside,) = conversion.extra_messages
    assert beside.recipients is None
    assert not beside.is_notice
    (cancel,) = read_calendars(calendar_text(beside.content))
    assert text_of(cancel, "METHOD") == "CANCEL"
    assert [text_of(event, "UID") for event in cancel.walk("VEVENT")] == ["meeting"]
    assert not conversion_of(beside.content, later).edits


def test_an_answer_of_notes_finds_the_meeting_as_exchange_has_it(context: Context) -> None:
    """Notes answers by the slot, the UID and the SEQUENCE that it was told; the way back undoes all three."""
    lines = ("RRULE:FREQ=DAILY;COUNT=3", "EXDATE:20260107T130000Z")
    moved = calendar("REQUEST", "SEQUENCE:2", "RECURRENCE-ID:20260108T130000Z").replace("0106T", "0108T")
    moved = moved.replace("DTSTART:20260108T13", "DTSTART:20260108T15").replace(
        "DTEND:20260108T14", "DTEND:20260108T16"
    )
    override = moved[moved.index("BEGIN:VEVENT") : moved.index("END:VCALENDAR")]
    first = message(calendar("REQUEST", "SEQUENCE:2"))
    series = message(calendar("REQUEST", "SEQUENCE:2", *lines).replace("END:VCALENDAR", f"{override}END:VCALENDAR"))
    memories: dict[str, Memory] = {}
    known = replace(context, recall=lambda key: memories.get(key, Memory()))
    for content in (first, series):
        for memory in conversion_of(content, known).memories:
            memories[memory.key] = Memory(memory.version + 1, memory.value)
    answer = calendar(
        "REPLY",
        "SEQUENCE:2",
        "RECURRENCE-ID:20260108T150000Z",
        "ATTENDEE;PARTSTAT=ACCEPTED:mailto:john@example.com",
        uid=again_uid("meeting"),
    ).replace("Microsoft Exchange Server 2010", "-//Lotus Development Corporation//NONSGML Notes 9.0//EN_C")
    way_back = replace(known, source=NOTES, destination=EXCHANGE)
    content = message(answer, "john@notes.example.com")
    text = calendar_text(apply(content, convert(content, way_back, [calendar_to_exchange.STEP]).edits))
    assert "UID:meeting\r\n" in text
    assert "RECURRENCE-ID:20260108T130000Z\r\n" in text
    assert "SEQUENCE:2\r\n" in text


# Forwarded meetings of Notes


def test_who_forwards_a_meeting_of_notes_is_told_that_notes_takes_it_from_its_organizer_only(context: Context) -> None:
    content = message(
        calendar("REQUEST", 'ORGANIZER;CN="Zoë/Acme":mailto:boss@notes.example.com', "SUMMARY:Größe", uid=NOTES_UID)
    )
    conversion = conversion_of(content, context)
    (notice,) = conversion.extra_messages
    assert notice.is_notice
    assert notice.recipients == ("jane@exchange.example.com",)
    root = parse(notice.content)
    assert root.find("auto-submitted")
    assert "Größe" in read_text(notice.content, root)
    assert "Zoë/Acme" in read_text(notice.content, root)
    assert not conversion.memories


@pytest.mark.parametrize(
    ("organizer", "sender", "method", "text"),
    [
        ("boss@notes.example.com", "boss@notes.example.com", "REQUEST", "told"),
        ("boss@notes.example.com", None, "REQUEST", "told"),
        ("boss@notes.example.com", "jane@exchange.example.com", "REPLY", "told"),
        ("boss@notes.example.com", "jane@exchange.example.com", "REQUEST", None),
        ("jane@exchange.example.com", "jane@exchange.example.com", "REQUEST", "told"),
        ("boss@exchange.example.com", "jane@exchange.example.com", "REQUEST", "told"),
    ],
)
def test_nobody_else_is_told(
    organizer: str, sender: str | None, method: str, text: str | None, context: Context
) -> None:
    content = message(calendar(method, f"ORGANIZER:mailto:{organizer}"), sender or "jane@exchange.example.com")
    known = replace(
        context,
        envelope=replace(context.envelope, sender=sender),
        settings=TransformSettings(forward_notice=text),
    )
    assert not conversion_of(content, known).extra_messages


def test_no_program_is_told(context: Context) -> None:
    content = message(calendar("REQUEST", "ORGANIZER:mailto:boss@notes.example.com", uid=NOTES_UID))
    assert conversion_of(content, context).extra_messages
    assert not conversion_of(b"Auto-Submitted: auto-generated\r\n" + content, context).extra_messages


def test_nobody_on_the_internet_is_told(context: Context) -> None:
    """A forged sender must not be sent what he did not ask for."""
    content = message(calendar("REQUEST", "ORGANIZER:mailto:boss@notes.example.com", uid=NOTES_UID))
    outside = replace(context, source=context.source.model_copy(update={"kind": "internet"}))
    assert not conversion_of(content, outside).extra_messages


def calendar(method: str, *lines: str, uid: str = "meeting") -> str:
    event = ["DTSTART:20260106T130000Z", "DTEND:20260106T140000Z", f"UID:{uid}", "DTSTAMP:20260101T000000Z", *lines]
    return "\r\n".join(
        [
            "BEGIN:VCALENDAR",
            "VERSION:2.0",
            "PRODID:Microsoft Exchange Server 2010",
            f"METHOD:{method}",
            "BEGIN:VEVENT",
            *event,
            "END:VEVENT",
            "END:VCALENDAR",
            "",
        ]
    )


def message(ics: str, sender: str = "jane@exchange.example.com") -> bytes:
    header = f"From: <{sender}>\r\nTo: <john@notes.example.com>\r\nSubject: x\r\nMIME-Version: 1.0\r\n"
    return (
        f"{header}Content-Type: text/calendar; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{ics}".encode()
    )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=400), st.integers(0, 2000), st.booleans())
def test_any_octets_in_an_invitation_pass(context: Context, noise: bytes, at: int, whole: bool) -> None:
    content = (CORPUS / "exchange-to-domino.display_name_zone_and_tabs.eml").read_bytes()
    start = content.index(b"BEGIN:VCALENDAR")
    place = start if whole else start + at
    damaged = content[:place] + noise + (b"" if whole else content[place:])
    failures = [report.failure for report in convert(damaged, context, [calendar_to_notes.STEP]).reports]
    assert all(failure is None or isinstance(failure, MalformedCalendar) for failure in failures)
