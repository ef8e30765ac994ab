"""Raw bytes in headers, and what another reader makes of them."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Callable
from dataclasses import replace
from email.header import decode_header, make_header
from email.utils import getaddresses

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from services.transform.pipeline import Context, convert
from services.transform.steps import raw_headers
from shared.mail import raw_fields
from shared.mail.edits import apply
from shared.mail.unlabelled import read_unlabelled

MakeContext = Callable[[str, str], Context]
_LETTERS = {
    "utf-8": 'aB (),;<>@"é会議Ж€',
    "cp1252": 'aB (),;:"äöüß€–“',
    "iso2022_jp": "aB (),会議の件、営業部",
    "iso8859_2": "aB (),řžščěý",
}
_PURE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def converted(content: bytes, context: Context) -> bytes:
    conversion = convert(content, context, [raw_headers.STEP])
    assert not [report.failure for report in conversion.reports if report.failure]
    return apply(content, conversion.edits)


@st.composite
def raw_text(draw: st.DrawFn, charsets: tuple[str, ...] = tuple(_LETTERS), without: str = "") -> tuple[str, bytes, str]:
    """Return text beyond ASCII, its bytes, and the name of their charset."""
    charset = draw(st.sampled_from(charsets))
    letters = "".join(letter for letter in _LETTERS[charset] if letter not in without)
    text = " ".join(draw(st.text(letters, min_size=1, max_size=120)).split())
    text += draw(st.sampled_from([letter for letter in letters if not letter.isascii()]))
    return text, text.encode(charset), charset


def is_read_otherwise(octets: bytes, charset: str) -> bool:
    """Whether bytes of another charset are UTF-8 by chance."""
    if charset in ("utf-8", "iso2022_jp"):
        return False
    try:
        octets.decode()
    except UnicodeDecodeError:
        return False
    return True


@_PURE
@given(raw_text())
def test_another_reader_sees_the_subject_that_was_meant(make_context: MakeContext, raw: tuple[str, bytes, str]) -> None:
    text, octets, charset = raw
    label = "iso-8859-1" if charset == "cp1252" else charset
    assume(not is_read_otherwise(octets, charset))
    assume(charset != "cp1252" or read_unlabelled(octets, label) == text)
    tail = f"\r\nContent-Type: text/plain; charset={label}\r\n\r\n".encode() + octets
    result = converted(b"Subject: " + octets + tail, make_context("domino", "exchange"))
    message = email.message_from_bytes(result, policy=email.policy.default)
    assert message["Subject"] == text
    assert result.endswith(tail)
    head = result.removesuffix(tail)
    assert head.isascii()
    assert b"\x1b" not in head
    assert max(map(len, head.split(b"\r\n"))) <= 78


@_PURE
@given(raw_text(("utf-8", "iso2022_jp"), without='\\"'))
def test_another_reader_sees_the_names_that_were_meant(make_context: MakeContext, raw: tuple[str, bytes, str]) -> None:
    text, octets, _ = raw
    content = (
        b'Subject: x\r\nTo: x@example.com, "' + octets + b'"\r\n <y@example.com>, Plain Name <z@example.com>\r\n\r\n'
    )
    message = email.message_from_bytes(converted(content, make_context("domino", "exchange")))
    people = [(str(make_header(decode_header(name))), address) for name, address in getaddresses([message["To"]])]
    assert people == [("", "x@example.com"), (text, "y@example.com"), ("Plain Name", "z@example.com")]


@_PURE
@given(raw_text(("utf-8", "iso2022_jp"), without='\\"'))
def test_another_reader_sees_the_quoted_file_name_that_was_meant(
    make_context: MakeContext, raw: tuple[str, bytes, str]
) -> None:
    text, octets, _ = raw
    content = (
        b'Content-Type: application/pdf\r\nContent-Disposition: attachment; filename="' + octets + b'"; size=3\r\n\r\n'
    )
    result = converted(content, make_context("domino", "exchange"))
    assert email.message_from_bytes(result, policy=email.policy.default).get_filename() == text
    assert result.isascii()
    assert result.endswith(b"; size=3\r\n\r\n")


@_PURE
@given(raw_text(("utf-8",), without='\\";'))
def test_another_reader_sees_the_bare_file_name_that_was_meant(
    make_context: MakeContext, raw: tuple[str, bytes, str]
) -> None:
    text, octets, _ = raw
    content = b"Content-Disposition: attachment; FileName = " + octets + b" ; size=3\r\n\r\n"
    result = converted(content, make_context("domino", "exchange"))
    assert email.message_from_bytes(result, policy=email.policy.default).get_filename() == text
    assert result.endswith(b" ; size=3\r\n\r\n")


def test_a_long_file_name_is_cut_between_characters(make_context: MakeContext) -> None:
    name = "営業報告書の最終版二千十九年五月分" * 5 + ".xls"
    content = b'Content-Disposition: attachment; filename="' + name.encode() + b'"\r\n\r\nx\r\n'
    result = converted(content, make_context("domino", "exchange"))
    assert max(map(len, result.split(b"\r\n"))) <= 80
    assert email.message_from_bytes(result, policy=email.policy.default).get_filename() == name


@pytest.mark.parametrize(
    "field",
    [
        b"Received: from h\xf6st by x; Thu, 2 May 2019 10:20:28 +0200",
        b"Message-ID: <\xe9@example.com>",
        b"To: j\xfcrgen@example.com",
        b"Subject: \xff\xfe\x81\x8d",
        b"Subject: =?iso-8859-1?Q?Gr=FC=DFe?=",
        b'Content-Type: multipart/mixed; boundary="\xe9"',
    ],
)
def test_text_without_another_encoding_is_unchanged(field: bytes, make_context: MakeContext) -> None:
    content = field + b"\r\n\r\nHello\r\n"
    assert converted(content, make_context("domino", "exchange")) == content


@pytest.mark.parametrize(("subject", "stays"), [("Grüße".encode(), True), ("Grüße".encode("latin-1"), False)])
def test_utf_8_stays_where_the_sender_asked_for_it(subject: bytes, stays: bool, make_context: MakeContext) -> None:
    """SMTPUTF8 makes UTF-8 in headers lawful (RFC 6532), and nothing else."""
    context = make_context("domino", "exchange")
    context = replace(context, envelope=replace(context.envelope, smtputf8=True))
    content = b"Subject: " + subject + b"\r\n\r\nHello\r\n"
    assert (converted(content, context) == content) is stays


def test_a_header_never_outgrows_what_can_be_read(make_context: MakeContext) -> None:
    content = b"".join(b"X-%d: %s\r\n" % (number, b"\xe9" * 700) for number in range(300)) + b"\r\nHello\r\n"
    assert converted(content, make_context("domino", "exchange")) == content


def test_text_that_never_leaves_iso_2022_jp_is_read_once() -> None:
    """A flood of its escapes was tried from each of them to the end of the field."""
    flood = b"\x1b$B" * 20_000
    assert len(list(raw_fields._JIS_TEXT.finditer(flood))) == 1
    assert raw_fields._masked(flood) == flood
    assert raw_fields._masked(b"\x1b$B;;\x1b(B;" + flood) == b"\xff" * 8 + b";" + flood
