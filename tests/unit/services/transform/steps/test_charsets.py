"""Labels of charsets, and what another reader makes of the text."""

from __future__ import annotations

import email
import email.policy
from base64 import encodebytes
from collections.abc import Callable
from quopri import encodestring

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from services.transform.pipeline import Context, convert
from services.transform.steps import charsets
from shared.mail.edits import apply

MakeContext = Callable[[str, str], Context]


@pytest.mark.parametrize(
    ("octets", "declared", "expected"),
    [
        ("so „teuer“".encode("cp1252"), "us-ascii", "windows-1252"),
        ("so „teuer“".encode("cp1252"), "ISO-8859-1", "windows-1252"),
        ("so „teuer“".encode("cp1252"), "latin1", "windows-1252"),
        ("so „teuer“".encode("cp1252"), "x-foo", "windows-1252"),
        ("so „teuer“".encode("cp1252"), "iso-8859-15", None),
        ("so „teuer“".encode("cp1252"), "windows-1250", None),
        ("so „teuer“".encode(), "us-ascii", "utf-8"),
        ("so „teuer“".encode(), "iso-8859-1", "utf-8"),
        ("Grüße".encode("latin-1"), "iso-8859-1", None),
        ("Grüße".encode("latin-1"), "us-ascii", "windows-1252"),
        ("Ã©".encode("latin-1"), "iso-8859-1", None),
        ("会議".encode("iso2022_jp"), "us-ascii", "iso-2022-jp"),
        ("会議".encode("iso2022_jp"), "x-foo", "iso-2022-jp"),
        ("会議".encode("iso2022_jp"), "iso-8859-1", None),
        ("会議".encode("cp932"), "us-ascii", None),
        ("Привет".encode("koi8-r"), "us-ascii", None),
        (b"Hello", "us-ascii", None),
        (b"Hello", "x-foo", "us-ascii"),
        (b"\x1b$B!\xff\x1b(B", "us-ascii", None),
        (b"", "us-ascii", None),
    ],
)
def test_a_label_is_corrected_where_it_is_certain(octets: bytes, declared: str, expected: str | None) -> None:
    assert charsets.correct_charset(octets, declared) == expected


_LETTERS = st.text("abc ÄÖÜäöüßéèñ €„“”–’…", min_size=1, max_size=60)
_ENCODERS: dict[bytes, Callable[[bytes], bytes]] = {
    b"8bit": bytes,
    b"base64": encodebytes,
    b"quoted-printable": encodestring,
}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    _LETTERS,
    st.sampled_from(["cp1252", "utf-8"]),
    st.sampled_from(
        [b"", b"; charset=us-ascii", b'; format=flowed; charset="US-ASCII"', b"; Charset = unknown-8bit ;x=y"]
    ),
    st.sampled_from(sorted(_ENCODERS)),
)
def test_another_reader_sees_the_text_that_was_written(
    make_context: MakeContext, text: str, written: str, label: bytes, encoding: bytes
) -> None:
    octets = text.encode(written)
    found = charsets.correct_charset(octets, "us-ascii")
    assume(found == {"cp1252": "windows-1252"}.get(written, written))  # no plain ASCII, and no UTF-8 by chance
    content = b"MIME-Version: 1.0\r\nContent-Type: text/plain" + label + b"\r\nContent-Transfer-Encoding: " + encoding
    content += b"\r\n\r\n" + _ENCODERS[encoding](octets)
    result = apply(content, convert(content, make_context("domino", "exchange"), [charsets.STEP]).edits)
    message = email.message_from_bytes(result, policy=email.policy.compat32)
    payload, declared = message.get_payload(decode=True), message.get_content_charset()
    assert isinstance(payload, bytes)
    assert declared in ("windows-1252", "utf-8")
    assert payload.decode(declared).rstrip("\n") == text.rstrip("\n")
    assert result.partition(b"\r\n\r\n")[2] == content.partition(b"\r\n\r\n")[2], "the bytes of the text stay"


def test_a_name_that_only_looks_like_a_charset_stays(make_context: MakeContext) -> None:
    """Where the parameter cannot be found for certain, nothing is changed."""
    content = b'Content-Type: text/plain; name="a; charset=us-ascii"\r\n\r\nGr\xfc\xdfe\r\n'
    result = apply(content, convert(content, make_context("domino", "exchange"), [charsets.STEP]).edits)
    assert result == content


def test_text_without_any_mime_header_gets_one(make_context: MakeContext) -> None:
    content = b"Subject: x\r\n\r\nGr\xfc\xdfe\r\n"
    result = apply(content, convert(content, make_context("domino", "exchange"), [charsets.STEP]).edits)
    assert result == (
        b"Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=windows-1252\r\n"
        b"Content-Transfer-Encoding: 8bit\r\n\r\nGr\xfc\xdfe\r\n"
    )
