from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.routing.calendar_addresses import internal_calendar_addresses
from shared.routing.router import Router
from tests.unit.shared.routing.test_router import EXCHANGE, MAP, NOTES

ROUTER = Router([NOTES, EXCHANGE], MAP)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Doe, John (jdoe@notes.example.com)", "Doe, John (john.doe@example.com)"),
        ("m1@exchange.example.com [mailto:m1@exchange.example.com]", "mary@example.com [mailto:mary@example.com]"),
        ("<jdoe@notes.example.com>", "<john.doe@example.com>"),
        ("'jdoe@notes.example.com'", "'john.doe@example.com'"),
        ("jdoe@notes.example.com via Team", "john.doe@example.com via Team"),
        ("addr=jdoe@notes.example.com; k", "addr=john.doe@example.com; k"),
        ("addr=new@notes.example.com; k", "addr=new@example.com; k"),
        ("送信先jdoe@notes.example.com", "送信先john.doe@example.com"),
        ("jürgen.müller@notes.example.com", "jürgen.müller@example.com"),
        ("mailto:jdoe%40notes.example.com", "mailto:john.doe@example.com"),
        ("mailto:John_Doe/Sales/Acme%ACME@notes.example.com?subject=x", "mailto:john.doe@example.com?subject=x"),
        ("mailto:John%20Doe%2FSales%2FAcme%25ACME@notes.example.com", "mailto:john.doe@example.com"),
        ("mailto:a@x.example?cc=jdoe@notes.example.com", "mailto:a@x.example?cc=john.doe@example.com"),
        ("by John Doe/Sales/Acme@ACME yesterday", "by john.doe@example.com yesterday"),
        ("was CN=Jane Roe/O=Acme@ACME now", "was Jane_Roe/Acme%ACME@example.com now"),
        ("Jane Roe/Acme@ACME", "Jane Roe/Acme"),
        ("jane@exchange.example.com@Foo@ACME.", "jane@example.com."),
        ("joe@fabrikam.test@ACME", "joe@fabrikam.test"),
        ("jdoe@notes.example.com/m1@exchange.example.com", "john.doe@example.com/mary@example.com"),
        ('"john doe"@notes.example.com', '"john doe"@example.com'),
        ("Ask jdoe@notes.example.com.", "Ask john.doe@example.com."),
        ("JDOE@NOTES.EXAMPLE.COM", "john.doe@example.com"),
    ],
)
def test_an_internal_address_anywhere_in_a_text_becomes_public(text: str, expected: str) -> None:
    assert ROUTER.public_text(text) == expected
    assert ROUTER.public_text(expected) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("", "me @ notes.example.com", "@notes.example.com", "jdoe@notes.example.com.partner.example"),
        *("jdoe@xnotes.example.com", "joe@partner.example", "john.doe@example.com", "AC/DC@night"),
    ],
)
def test_any_other_text_stays(text: str) -> None:
    assert ROUTER.public_text(text) == text


SHARDS = st.sampled_from(
    [
        "jdoe",
        "@notes.example.com",
        "@ACME",
        " ",
        "\n",
        "'",
        '"',
        "(",
        "<mailto:",
        "%40",
        "%",
        "/",
        "CN=A/O=B",
        "=",
        "é",
        "x.",
    ]
)


@given(st.lists(SHARDS, max_size=25).map("".join))
def test_finding_addresses_is_done_once_and_in_order(text: str) -> None:
    found = list(ROUTER.internal_addresses(text))
    assert all(match.start <= match.end for match in found)
    assert all(one.end <= other.start for one, other in pairwise(found))
    assert all(match.public != text[match.start : match.end] for match in found)


def calendar(text: str) -> str:
    pieces: list[str] = []
    position = 0
    for found in internal_calendar_addresses(text, ROUTER):
        pieces += (text[position : found.start], found.public)
        position = found.end
    return "".join([*pieces, text[position:]])


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("ORGANIZER:mailto:jdoe@notes.example.com", "ORGANIZER:mailto:john.doe@example.com"),
        ("ORGANIZER:MAILTO:jdoe@no\r\n tes.exam\r\n\tple.com", "ORGANIZER:MAILTO:john.doe@example.com"),
        ("ATTENDEE:mail\r\n to:jd\r\n oe@notes.example.com\r\n", "ATTENDEE:mail\r\n to:john.doe@example.com\r\n"),
        ('ATTENDEE;SENT-BY="mailto:m1@exchange.example.com":x', 'ATTENDEE;SENT-BY="mailto:mary@example.com":x'),
        ("ATTENDEE;SENT-BY=m1@exchange.example.com:x", "ATTENDEE;SENT-BY=mary@example.com:x"),
        ('ATTENDEE;CN="jdoe@notes.example.com":mailto:a@x', 'ATTENDEE;CN="john.doe@example.com":mailto:a@x'),
        ("ORGANIZER:mailto:John Doe/Sales/Acme@ACME", "ORGANIZER:mailto:john.doe@example.com"),
        ("X-MS-OLK-SENDER:mailto:new@notes.example.com", "X-MS-OLK-SENDER:mailto:new@example.com"),
        ("CONTACT:Call\\njdoe@notes.example.com", "CONTACT:Call\\njohn.doe@example.com"),
        ("REQUEST-STATUS:3.7;Bad;ATTENDEE:mailto:new@notes.example.com", None),
        ("UID:jdoe@notes.example.com", "UID:jdoe@notes.example.com"),
        ("X-LOTUS-CHILD-UID:jdoe@notes.example.com", "X-LOTUS-CHILD-UID:jdoe@notes.example.com"),
        ("RELATED-TO;RELTYPE=PARENT:a@notes.example.com", "RELATED-TO;RELTYPE=PARENT:a@notes.example.com"),
        ("DESCRIPTION:Ask jdoe@notes.exa\r\n mple.com", "DESCRIPTION:Ask jdoe@notes.exa\r\n mple.com"),
        ('X-A;ALTREP="CID:<x@notes.example.com>":y', 'X-A;ALTREP="CID:<x@notes.example.com>":y'),
        ("no calendar at all", "no calendar at all"),
    ],
)
def test_a_calendar_shows_the_public_addresses_of_its_people(line: str, expected: str | None) -> None:
    expected = line.replace("@notes.example.com", "@example.com") if expected is None else expected
    around = "BEGIN:VCALENDAR\r\n{}\r\nEND:VCALENDAR\r\n"
    assert calendar(around.format(line)) == around.format(expected)
    assert calendar(around.format(expected)) == around.format(expected)


@given(st.lists(st.sampled_from([*"\r\n\t :;x", "\r\n ", "ATTENDEE:", "UID:", "jdoe@notes.example.com"]), max_size=25))
def test_any_text_can_be_read_as_a_calendar(pieces: list[str]) -> None:
    text = "".join(pieces)
    found = list(internal_calendar_addresses(text, ROUTER))
    assert all(0 <= match.start < match.end <= len(text) for match in found)
    assert calendar(text).count("jdoe@notes.example.com") <= text.count("jdoe@notes.example.com")
