"""The end of DATA and dot-stuffing."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingress.content import Data

pieces = st.lists(st.sampled_from([b"\r", b"\n", b".", b"a", b"\0", b"\r\n", b"\r\n.", b"bc"]), max_size=40)
octets = pieces.map(b"".join)


def read(wire: bytes, step: int) -> tuple[bytes, bytes] | None:
    """Return content and rest, having fed the wire in chunks of `step` bytes; None where DATA did not end."""
    data = Data()
    for start in range(0, len(wire), step):
        rest = data.feed(wire[start : start + step])
        if rest is not None:
            return data.content(), rest + wire[start + step :]
    return None


def read_by_line(wire: bytes) -> tuple[bytes, bytes] | None:
    """The same by the letter of RFC 5321 section 4.5.2: line by line, a line ending in CRLF alone."""
    content = b""
    while b"\r\n" in wire:
        line, _, wire = wire.partition(b"\r\n")
        if line == b".":
            return content, wire
        content += line.removeprefix(b".") + b"\r\n"
    return None


@given(octets, st.integers(1, 9))
def test_data_is_read_as_line_by_line_however_it_is_cut(wire: bytes, step: int) -> None:
    assert read(wire, step) == read_by_line(wire)


@given(octets)
def test_what_is_stuffed_comes_back_as_it_was(content: bytes) -> None:
    content += b"\r\n"
    stuffed = re.sub(rb"(?:(?<=\r\n)|\A)\.", b"..", content)
    assert read(stuffed + b".\r\nrest", 7) == (content, b"rest")


@given(octets, st.integers(1, 9))
def test_stopped_data_ends_where_it_would_have_ended_and_keeps_nothing(wire: bytes, step: int) -> None:
    kept, stopped = Data(), Data()
    stopped.stop()
    for start in range(0, len(wire), step):
        chunk = wire[start : start + step]
        rest = kept.feed(chunk)
        assert stopped.feed(chunk) == rest
        assert stopped.size == 0
        if rest is not None:
            assert stopped.has_ambiguous_end == kept.has_ambiguous_end
            return


def test_an_end_that_is_doubtful_is_so_too_where_the_message_was_refused_before_it_and_it_comes_in_halves() -> None:
    data = Data()
    data.feed(b"x" * 100)
    data.stop()
    assert data.feed(b"x\r\r\n.\r") is None
    assert data.feed(b"\nMAIL FROM:<evil@notes.example.com>\r\n") is not None
    assert data.has_ambiguous_end


def test_data_that_stops_midway_still_finds_an_end_that_was_half_there() -> None:
    data = Data()
    assert data.feed(b"x" * 100 + b"\r\n.") is None
    data.stop()
    assert data.feed(b"\r\nNOOP\r\n") == b"NOOP\r\n"


@pytest.mark.parametrize(("before", "doubtful"), [(b"x\r", True), (b"x", False), (b"x\n", False), (b"", False)])
def test_a_bare_cr_before_the_end_makes_it_doubtful(before: bytes, doubtful: bool) -> None:
    data = Data()
    assert data.feed(before + b"\r\n.\r\n") == b""
    assert data.has_ambiguous_end is doubtful
