"""Bytes that identify their charset."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.mail.charset import decode
from shared.mail.unlabelled import read_unlabelled, recognise


@given(st.binary(max_size=200))
def test_a_recognised_charset_decodes_strictly(octets: bytes) -> None:
    found = recognise(octets)
    assert found in (None, "iso-2022-jp", "utf-8", "windows-1252")
    if found:
        assert decode(octets, found) is not None
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
        ("“é”".encode("cp1252"), "us-ascii", None),
        ("so „teuer“".encode("cp1252"), "us-ascii", "so „teuer“"),
        ("①㈱".encode("iso2022_jp_ext", "ignore") + b"\x1b$B-!-j\x1b(B", None, "①㈱"),
        (b"\x1b$B~~\x1b(B", "us-ascii", None),
        (b"plain", "koi8-r", "plain"),
    ],
)
def test_octets_speak_before_the_text_nearby(octets: bytes, nearby: str | None, text: str | None) -> None:
    assert read_unlabelled(octets, nearby) == text


@pytest.mark.parametrize(
    ("text", "codec"),
    [
        ("Dobrý den, posílám přílohu. Žluťoučký kůň, Dvořák", "iso8859_2"),
        ("Dobrý den", "cp1250"),
        ("Proszę o potwierdzenie, dziękuję. Łódź", "iso8859_2"),
        ("Proszę o potwierdzenie", "cp1250"),
        ("İyi günler, teşekkür ederim", "cp1254"),
        ("Görüşmek üzere", "iso8859_9"),
        ("Ačiū, labas rytas. Žąsis", "cp1257"),
        ("Ačiū", "iso8859_13"),
        ("Re: да, я и ты", "cp1251"),
        ("да", "koi8_r"),
        ("ok – да", "cp1251"),
        ("Crème à Paris", "cp1252"),
        ("Γεια", "cp1253"),
        ("שלום", "cp1255"),
        ("Dear 山田 san", "cp932"),
        ("Re: 张 OK", "gb18030"),
        ("陳 OK", "big5"),
        ("김 OK", "cp949"),
        ("Müller", "cp437"),
        ("Müller", "mac_roman"),
    ],
)
def test_windows_1252_is_never_a_guess(text: str, codec: str) -> None:
    octets = text.encode(codec)
    assert recognise(octets) is None
    assert read_unlabelled(octets, "us-ascii") is None
    assert read_unlabelled(octets, None, codec) == text


@pytest.mark.parametrize("codec", ["cp1250", "cp1252", "cp1254", "cp1257"])
@pytest.mark.parametrize("text", ["Größere Füße, Öl", "so „teuer“ – wie", "it’s 12 °", "Café"])
def test_what_all_latin_code_pages_share_is_windows_1252(text: str, codec: str) -> None:
    octets = text.encode(codec)
    assert recognise(octets) == "windows-1252"
    assert octets.decode("cp1252") == text


def test_a_claim_counts_where_it_can_be_right() -> None:
    czech = "Dvořák Žluť".encode("iso8859_2")
    assert recognise(czech, "iso-8859-2", "windows-1251") == "iso-8859-2"
    assert recognise(czech, "utf-8", "us-ascii", "no-such-charset", "utf-16", None, "windows-1250") == "windows-1250"
    assert recognise("„Dvořák“".encode("cp1250"), "iso-8859-2") is None
