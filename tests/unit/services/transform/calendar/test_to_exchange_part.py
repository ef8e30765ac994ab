"""Where the calendar goes in a message for Outlook, whatever the message looked like."""

from __future__ import annotations

import dataclasses
import email
from collections.abc import Callable
from email.message import Message
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.transform.calendar.part import places
from services.transform.calendar.related import RelatedParts
from services.transform.pipeline import Context, convert
from services.transform.steps import calendar_to_exchange
from shared.mail.edits import apply
from shared.mail.mime import parse
from tests.support.outlook_calendar import calendar_of

MakeContext = Callable[[str, str], Context]

CALENDAR = (
    b"BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nPRODID:-//Lotus Development Corporation//NONSGML Notes 9.0//EN\r\n"
    b"BEGIN:VEVENT\r\nUID:A-Lotus_Notes_Generated\r\nSEQUENCE:0\r\nDTSTART:20240108T090000Z\r\nDTEND:20240108T100000Z\r\n"
    b"SUMMARY:Plans\r\nEND:VEVENT\r\nEND:VCALENDAR"
)
CALENDAR_PART = b"Content-Type: text/calendar; method=REQUEST\r\n\r\n" + CALENDAR
TEXT = b"Content-Type: text/plain\r\n\r\nHello\r\n"
HTML = b"Content-Type: text/html\r\n\r\n<p>Hello</p>"
PDF = b'Content-Type: application/pdf; name="a.pdf"\r\nContent-Transfer-Encoding: base64\r\n\r\nJVBERg=='
HEADER = b"From: a@example.com\r\nMIME-Version: 1.0\r\n"


def multipart(kind: bytes, *parts: bytes, boundary: bytes = b"=_%b 0012_=", close: bool = True) -> bytes:
    boundary = boundary.replace(b"%b", kind)
    opened = b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts)
    end = b"--" + boundary + b"--\r\n" if close else b""
    return b'Content-Type: multipart/%s; boundary="%s"\r\n\r\n' % (kind, boundary) + opened + end


def payloads(message: Message, kind: str) -> list[Any]:
    return [part.get_payload(decode=True) for part in message.walk() if part.get_content_type() == kind]


def defects(message: Message) -> list[Any]:
    return [defect for part in message.walk() for defect in part.defects]


def converted(content: bytes, context: Context) -> bytes:
    context = dataclasses.replace(context, now=1_700_000_000.0)
    conversion = convert(content, context, [calendar_to_exchange.STEP])
    assert not [report.failure for report in conversion.reports if report.failure]
    return apply(content, conversion.edits)


@pytest.mark.parametrize(
    "body",
    [
        CALENDAR_PART,
        multipart(b"alternative", TEXT, CALENDAR_PART),
        multipart(b"alternative", TEXT, HTML, CALENDAR_PART, close=False),
        multipart(b"mixed", CALENDAR_PART),
        multipart(b"mixed", TEXT, CALENDAR_PART, PDF),
        multipart(b"mixed", CALENDAR_PART, TEXT),
        multipart(b"mixed", TEXT, CALENDAR_PART, close=False),
        multipart(b"mixed", PDF, CALENDAR_PART, close=False),
        multipart(b"mixed", multipart(b"alternative", TEXT, HTML), CALENDAR_PART, PDF),
        multipart(b"mixed", multipart(b"related", HTML, PDF), CALENDAR_PART),
        multipart(b"related", CALENDAR_PART, HTML),
        multipart(b"mixed", TEXT, CALENDAR_PART.replace(b"text/calendar", b"application/ics")),
    ],
    ids=lambda body: body.split(b"\r\n")[0].decode()[-24:] if isinstance(body, bytes) else "",
)
def test_the_calendar_ends_up_in_a_multipart_alternative(body: bytes, make_context: MakeContext) -> None:
    content = HEADER + body
    result = converted(content, make_context("domino", "exchange"))
    message = email.message_from_bytes(result)
    assert str(calendar_of(message).events[0]["SUMMARY"]) == "Plans"
    before = email.message_from_bytes(content)
    assert payloads(message, "application/pdf") == payloads(before, "application/pdf")
    assert payloads(before, "text/html") == payloads(message, "text/html")
    assert bool(defects(message)) <= bool(defects(before))
    assert converted(result, make_context("domino", "exchange")) == result


def test_a_file_that_repeats_the_invitation_says_the_same(make_context: MakeContext) -> None:
    copy = CALENDAR_PART.replace(b"text/calendar", b'application/ics; name="invite.ics"')
    content = HEADER + multipart(b"mixed", multipart(b"alternative", TEXT, CALENDAR_PART), copy)
    result = converted(content, make_context("domino", "exchange"))
    parsed = parse(result)
    found = [result[one.entity.body_start : one.entity.end] for one in places(parsed)]
    assert len(found) == 2
    assert found[0] == found[1]


def test_a_broken_file_beside_an_invitation_stays(make_context: MakeContext) -> None:
    broken = b"Content-Type: application/ics\r\n\r\nno calendar"
    content = HEADER + multipart(b"mixed", multipart(b"alternative", TEXT, CALENDAR_PART), broken)
    result = converted(content, make_context("domino", "exchange"))
    assert b"PRODID:-//Causeway" in result
    assert broken in result


@pytest.mark.parametrize("kind", [b"signed", b"encrypted", b"report"])
def test_what_must_not_be_changed_is_not_looked_at(kind: bytes, make_context: MakeContext) -> None:
    content = HEADER + multipart(kind, TEXT, CALENDAR_PART)
    assert converted(content, make_context("domino", "exchange")) == content


@pytest.mark.parametrize("reference", ["CID:<a@>", "cid:a@", " cid:<a@> "])
def test_content_ids_are_compared_opaquely(reference: str) -> None:
    content = HEADER + multipart(b"related", b"Content-ID: <a@>\r\n\r\nx", TEXT)
    found = RelatedParts(content, parse(content)).find(reference)
    assert found is not None
    assert content[found.body_start : found.end] == b"x"


def test_one_text_is_not_given_out_without_end() -> None:
    content = HEADER + multipart(b"related", b"Content-ID: <a@>\r\n\r\n" + b"x" * 100, TEXT)
    parts = RelatedParts(content, parse(content), characters=250)
    part = parts.find("cid:a@")
    assert part
    assert [len(parts.text(part)[0]) for _ in range(4)] == [100, 100, 0, 0]


pieces: Any = st.sampled_from(
    [
        TEXT,
        HTML,
        PDF,
        CALENDAR_PART,
        CALENDAR_PART[:-40],
        b"",
        b"\r\n",
        b"--b",
        b"--b--",
        b"Content-Type: text/calendar",
    ]
)
noise = st.sampled_from(
    [b"METHOD:REPLY", b"RRULE:FREQ=DAILY", b"RRULE:FREQ=WEEKLY;COUNT=3;BYDAY=MO,TU", b"RDATE:20240109"]
)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(pieces, max_size=6), st.sampled_from([b"mixed", b"alternative", b"related"]))
def test_torn_messages_have_an_outcome(make_context: MakeContext, parts: list[bytes], kind: bytes) -> None:
    content = HEADER + b'Content-Type: multipart/%s; boundary="b"\r\n\r\n--b\r\n' % kind + b"\r\n--b\r\n".join(parts)
    conversion = convert(content, make_context("domino", "exchange"), [calendar_to_exchange.STEP])
    parse(apply(content, conversion.edits))


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(noise | st.binary(max_size=30), max_size=6))
def test_any_calendar_text_has_an_outcome(make_context: MakeContext, lines: list[bytes]) -> None:
    """Whatever the step raises is a refusal of the calendar that names itself; the message is passed as it is."""
    middle = b"\r\n".join([b"BEGIN:VEVENT\r\nUID:a\r\nDTSTART:20240108T090000Z", *lines, b"END:VEVENT"])
    body = b"Content-Type: text/calendar; method=REQUEST\r\n\r\nBEGIN:VCALENDAR\r\n" + middle + b"\r\nEND:VCALENDAR\r\n"
    conversion = convert(HEADER + body, make_context("domino", "exchange"), [calendar_to_exchange.STEP])
    failures = [report.failure for report in conversion.reports if report.failure]
    assert [type(failure).__name__ for failure in failures] in ([], ["MalformedCalendar"])
