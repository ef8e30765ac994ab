"""Lines that are longer than SMTP allows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.mail.edits import apply
from shared.mail.line_length import MAX_LINE_BYTES, wrap_long_lines

HEADER = b"Subject: x\r\n\r\n"


def wrapped(content: bytes) -> bytes:
    return apply(content, wrap_long_lines(content))


@pytest.mark.parametrize("length", [0, 1, 997, 998])
@pytest.mark.parametrize("end", [b"", b"\r\n"])
def test_a_line_of_at_most_998_bytes_stays(length: int, end: bytes) -> None:
    content = HEADER + b"x" * length + end
    assert wrapped(content) is content


def test_a_longer_line_is_broken_as_postfix_breaks_it() -> None:
    content = HEADER + b"x" * 3000 + b"\r\nshort\r\n"
    lines = [b"x" * 998, b" " + b"x" * 997, b" " + b"x" * 997, b" " + b"x" * 8, b"short"]
    assert wrapped(content) == HEADER + b"".join(line + b"\r\n" for line in lines)


def test_a_long_header_field_is_folded() -> None:
    content = b"X-Long: " + b"y" * 2000 + b"\r\n\r\nbody\r\n"
    assert wrapped(content).replace(b"\r\n ", b"") == content
    assert max(map(len, wrapped(content).split(b"\r\n"))) == MAX_LINE_BYTES


def test_a_character_is_never_broken() -> None:
    content = HEADER + ("x" + "日" * 2000).encode() + b"\r\n"
    result = wrapped(content)
    assert result.decode().replace("\r\n ", "") == content.decode()


def test_no_line_that_a_signature_covers_is_broken_and_its_neighbours_are() -> None:
    long = b"z" * 1500 + b"\r\n"
    signed = (
        b"Content-Type: multipart/signed; boundary=s\r\n\r\n--s\r\n\r\n"
        + long
        + b"--s\r\nContent-Type: a/b\r\n\r\n--s--"
    )
    start = b"Content-Type: multipart/mixed; boundary=m\r\n\r\n--m\r\n\r\n"
    content = start + long + b"--m\r\n" + signed + b"\r\n--m\r\n\r\n" + long + b"--m--\r\n"
    result = wrapped(content)
    assert signed in result
    assert result.count(long) == 1


@given(st.lists(st.integers(0, 4000), max_size=8), st.booleans())
def test_whatever_the_lines_only_breaks_are_inserted(lengths: list[int], ends: bool) -> None:
    content = HEADER + b"\r\n".join(b"a" * length for length in lengths) + b"\r\n" * ends
    result = wrapped(content)
    assert max(map(len, result.split(b"\r\n"))) <= MAX_LINE_BYTES
    assert result.replace(b"\r\n ", b"") == content
