from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.egress.wire import stuffed, terminated
from shared.mail.line_ends import normalize

content = st.lists(st.sampled_from([b"\r\n", b"\r", b"\n", b".", b"a", b"\x00", b"\xff", b"..", b" "])).map(b"".join)
BARE = re.compile(rb"\r(?!\n)|(?<!\r)\n")


@given(content)
def test_no_bare_line_end_leaves(text: bytes) -> None:
    wired = stuffed(terminated(normalize(text)))
    assert not BARE.search(wired)
    assert b"\r\n.\r\n" not in wired
    assert not wired.startswith(b".\r\n")


@given(content)
def test_undoing_the_dots_gives_the_content_back(text: bytes) -> None:
    wanted = terminated(normalize(text))
    lines = stuffed(wanted).split(b"\r\n")
    assert b"\r\n".join(line[1:] if line.startswith(b".") else line for line in lines) == wanted


@pytest.mark.parametrize(
    "attack", [b"\n.\n", b"\r.\r", b"\r.\n", b"\n.\r", b"\n.\r\n", b"\r\n.\n", b"\r.\r\n", b"\r\n.\r"]
)
def test_smuggled_end_of_data_is_made_harmless(attack: bytes) -> None:
    """CVE-2023-51764 and its kin."""
    wired = stuffed(terminated(normalize(b"a" + attack + b"MAIL FROM:<x@y>")))
    assert b"\r\n..\r\n" in wired
    assert not BARE.search(wired)
