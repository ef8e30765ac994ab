"""Octets that tell their charset."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.mail.unlabelled import read_unlabelled, recognise


@given(st.binary(max_size=200))
def test_a_recognised_charset_decodes_strictly(octets: bytes) -> None:
    found = recognise(octets)
    assert found in (None, "iso-2022-jp", "utf-8", "windows-1252")
    if found:
        assert octets.decode(found)
        assert found == "iso-2022-jp" or not octets.isascii()


@given(st.binary(max_size=200), st.sampled_from([None, "koi8-r", "shift_jis", "us-ascii", "nonsense", "utf-7"]))
def test_reading_never_fails(octets: bytes, nearby: str | None) -> None:
    text = read_unlabelled(octets, nearby)
    assert text is None or isinstance(text, str)


@pytest.mark.parametrize(
    ("octets", "nearby", "text"),
    [
        ("Привет".encode("koi8-r"), "koi8-r", "Привет"),
        ("Привет".encode("koi8-r"), None, None),
        ("Привет".encode(), "koi8-r", "Привет"),
        ("会議".encode("iso2022_jp"), "koi8-r", "会議"),
        ("“é”".encode("cp1252"), "iso-8859-1", "“é”"),
        ("“é”".encode("cp1252"), "us-ascii", "“é”"),
        (b"plain", "koi8-r", "plain"),
    ],
)
def test_octets_speak_before_the_text_nearby(octets: bytes, nearby: str | None, text: str | None) -> None:
    assert read_unlabelled(octets, nearby) == text
