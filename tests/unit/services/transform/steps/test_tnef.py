"""winmail.dat in messages: what takes its place, and what is never touched."""

from __future__ import annotations

import email
import email.policy
from base64 import encodebytes
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

import icalendar
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.transform.pipeline import Context, convert
from services.transform.steps import ORDER, tnef
from shared.errors import MalformedMessage, MalformedTnef
from shared.mail.edits import apply
from shared.mail.mime import parse
from tests.support.tnef import APPOINTMENT, attachment, binary, message, moment, text

CORPUS = Path(__file__).parents[4] / "corpus" / "tnef"
PAIRS = sorted(path for path in CORPUS.glob("*.eml") if not path.name.endswith(".expected.eml"))
CHANGED = [pair for pair in PAIRS if pair.with_name(f"{pair.stem}.expected.eml").exists()]

MakeContext = Callable[[str, str], Context]
NOW = 1_600_000_000.0
HEADER = b"From: a@example.com\r\nTo: b@example.com\r\nSubject: S\r\nMIME-Version: 1.0\r\n"


@pytest.fixture
def context(make_context: MakeContext) -> Context:
    return replace(make_context("exchange", "domino"), now=NOW)


def converted(content: bytes, context: Context) -> bytes:
    conversion = convert(content, context, [tnef.STEP])
    assert not [report.failure for report in conversion.reports if report.failure]
    return apply(content, conversion.edits)


def read(content: bytes) -> EmailMessage:
    return email.message_from_bytes(content, policy=email.policy.default)


def stream_part(stream: bytes) -> bytes:
    body = encodebytes(stream).replace(b"\n", b"\r\n")
    return b"Content-Type: application/ms-tnef\r\nContent-Transfer-Encoding: base64\r\n\r\n" + body


def beside(first: bytes, stream: bytes) -> bytes:
    parts = b"".join(b"--b\r\n%s\r\n" % part for part in (first, stream_part(stream)))
    return HEADER + b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n' + parts + b"--b--\r\n"


def texts(content: bytes) -> list[tuple[str, str]]:
    parts = (part for part in read(content).walk() if part.get_content_maintype() == "text")
    return [(part.get_content_type(), str(part.get_content()).strip().replace("\r\n", "\n")) for part in parts]


@pytest.mark.parametrize("pair", PAIRS, ids=lambda path: path.stem)
def test_corpus_pair(pair: Path, context: Context) -> None:
    expected = pair.with_name(f"{pair.stem}.expected.eml") if pair in CHANGED else pair
    assert converted(pair.read_bytes(), context) == expected.read_bytes()


@pytest.mark.parametrize("pair", CHANGED, ids=lambda path: path.stem)
def test_another_reader_finds_no_defect_in_what_is_made(pair: Path, context: Context) -> None:
    for part in read(converted(pair.read_bytes(), context)).walk():
        assert part.defects == []
        if part.get_content_type() == "text/calendar":
            calendar = icalendar.Calendar.from_ical(part.get_content())
            assert not calendar.errors
            if part["Content-Type"].params.get("method") and calendar.subcomponents:
                assert part["Content-Type"].params["method"] == calendar["METHOD"]


@pytest.mark.parametrize("kinds", [("exchange", "exchange"), ("domino", "internet"), ("domino", "domino")])
def test_what_stays_among_its_own_keeps_every_byte(kinds: tuple[str, str], make_context: MakeContext) -> None:
    content = beside(b"Content-Type: text/plain\r\n\r\nHello", message("IPM.Note", [text(0x1000, "Hello")]))
    conversion = convert(content, make_context(*kinds), [tnef.STEP])
    assert (conversion.edits, conversion.reports) == ((), ())


def test_a_stream_for_the_internet_is_opened_too(make_context: MakeContext) -> None:
    content = beside(b"Content-Type: text/plain\r\n\r\nHello", message("IPM.Note", [binary(0x1013, b"<p>Hello</p>")]))
    result = converted(content, make_context("exchange", "internet"))
    assert texts(result) == [("text/plain", "Hello"), ("text/html", "<p>Hello</p>")]


def test_the_step_is_in_the_order_once() -> None:
    assert ORDER.count(tnef.STEP) == 1


def test_an_unreadable_stream_stays_and_counts_as_a_failure(context: Context) -> None:
    content = beside(b"Content-Type: text/plain\r\n\r\nHello", b"this is no TNEF")
    conversion = convert(content, context, [tnef.STEP])
    assert apply(content, conversion.edits) == content
    assert [(report.outcome, type(report.failure)) for report in conversion.reports] == [("failed", MalformedTnef)]
    assert conversion.stopped is None


def test_a_stream_is_known_by_its_name_too(context: Context) -> None:
    part = stream_part(message("IPM.Note", [text(0x1000, "Inside")])).replace(
        b"application/ms-tnef", b'application/octet-stream; name="WINMAIL.DAT"'
    )
    content = HEADER + b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n' + part + b"\r\n--b--\r\n"
    assert texts(converted(content, context)) == [("text/plain", "Inside")]


def test_a_text_without_a_body_is_replaced_where_a_delimiter_follows_at_once(context: Context) -> None:
    stream = message("IPM.Note", [text(0x1000, "Inside")])
    content = beside(b"Content-Type: text/plain\r\n\r\n", stream).replace(b"\r\n\r\n\r\n--b", b"\r\n\r\n--b")
    result = converted(content, context)
    assert texts(result) == [("text/plain", "Inside")]
    assert read(result).defects == []


def test_a_text_that_begins_like_a_header_keeps_its_bytes_when_joined(context: Context) -> None:
    """Regression: its first bytes occur in the header of the multipart/alternative around it."""
    first = b"\r\nContent"
    content = beside(first, message("IPM.Note", [binary(0x1013, b"<p>Content</p>")]))
    assert texts(converted(content, context)) == [("text/plain", "Content"), ("text/html", "<p>Content</p>")]


def test_a_richer_text_takes_the_place_of_its_poor_twin(context: Context) -> None:
    content = beside(b"Content-Type: text/plain\r\n\r\n?????? 5", message("IPM.Note", [text(0x1000, "Привет 5")]))
    assert texts(converted(content, context)) == [("text/plain", "Привет 5")]


def test_a_richer_text_in_the_message_is_kept_beside_the_body_of_the_stream(context: Context) -> None:
    content = beside(b"Content-Type: text/plain\r\n\r\nHello and more", message("IPM.Note", [text(0x1000, "Hello")]))
    assert texts(converted(content, context)) == [("text/plain", "Hello and more"), ("text/plain", "Hello")]


def test_a_stream_that_holds_nothing_goes_without_a_trace(context: Context) -> None:
    result = converted(beside(b"Content-Type: text/plain\r\n\r\nHello", message("IPM.Note")), context)
    assert [part.get_content_type() for part in read(result).walk()] == ["multipart/mixed", "text/plain"]


def test_a_message_that_was_nothing_but_an_empty_stream_is_still_one(context: Context) -> None:
    result = converted(HEADER + stream_part(message("IPM.Note")), context)
    assert texts(result) == [("text/plain", "")]


def test_a_receipt_that_is_a_whole_message_becomes_a_report(context: Context) -> None:
    content = HEADER + b"In-Reply-To: <1@example.com>\r\n" + stream_part(message("REPORT.IPM.Note.IPNNRN"))
    result = read(converted(content, context))
    assert result.get_content_type() == "multipart/report"
    assert result.get_param("report-type") == "disposition-notification"
    assert "deleted" in str(result)


def test_a_receipt_without_the_facts_is_text(context: Context) -> None:
    result = converted(HEADER + stream_part(message("REPORT.IPM.Note.IPNRN", [text(0x49, "Plan")])), context)
    assert texts(result) == [("text/plain", "Your message was read.\n\nSubject: Plan")]


def test_a_calendar_of_an_attached_message_is_not_the_messages_own(context: Context) -> None:
    attached = b"Content-Type: text/calendar\r\n\r\nBEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n"
    start = moment((APPOINTMENT, 0x820D), datetime(2024, 1, 8, 9, tzinfo=UTC))
    stream = message("IPM.Schedule.Meeting.Request", [start, text(0x1000, "Hello")])
    content = beside(b"Content-Type: message/rfc822\r\n\r\n" + attached, stream)
    kinds = [part.get_content_type() for part in read(converted(content, context)).walk()]
    assert kinds.count("text/calendar") == 2


def test_a_stream_of_too_many_parts_stays_whole(context: Context) -> None:
    stream = message("IPM.Note", (), [attachment(b"a", b"")] * 10_001)
    content = beside(b"Content-Type: text/plain\r\n\r\nHello", stream)
    conversion = convert(content, context, [tnef.STEP])
    assert [type(report.failure) for report in conversion.reports] == [MalformedMessage]
    assert apply(content, conversion.edits) == content


def test_a_sender_other_than_the_author_is_the_delegate(context: Context) -> None:
    start = moment((APPOINTMENT, 0x820D), datetime(2024, 1, 8, 9, tzinfo=UTC))
    part = stream_part(message("IPM.Schedule.Meeting.Request", [start]))
    for sender, expected in ((b"c@example.com", True), (b"A@EXAMPLE.com", False)):
        result = converted(b"Sender: %s\r\n" % sender + HEADER + part, context)
        assert (b"SENT-BY" in result) is expected


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(
    shown=st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_characters="\x7f"), max_size=30),
    held=st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_characters="\x7f"), max_size=30),
    files=st.lists(st.binary(max_size=40), max_size=3),
    cut=st.integers(0, 400),
)
def test_no_word_and_no_file_is_lost(shown: str, held: str, files: list[bytes], cut: int, context: Context) -> None:
    """Whatever is beside a stream stays to be seen, and a stream that is not whole stays itself."""
    stream = message("IPM.Note", [text(0x1000, held)], [attachment(b"f%d.bin" % n, f) for n, f in enumerate(files)])
    is_cut = 0 < cut < len(stream) - 40
    stream = stream[: len(stream) - cut] if is_cut else stream
    first = b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + shown.encode()
    content = beside(first, stream)
    result = converted(content, context)
    parse(result)
    seen = " ".join(body for _, body in texts(result))
    words = {word for word in shown.replace("?", " ").split() if word.isalnum()}
    assert all(word.lower() in seen.lower() for word in words)
    if not is_cut:
        names = [part.get_filename() for part in read(result).walk() if part.get_filename()]
        assert names == [f"f{number}.bin" for number in range(len(files))]
