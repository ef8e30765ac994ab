"""Bodies under their transfer encodings, and bodies of new text."""

import base64
import binascii
import quopri

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.mail.body import decode_body, decode_text
from shared.mail.mime import parse
from shared.mail.transfer import decode, encode_base64, encode_quoted_printable, encode_text, is_seven_bit

CRLF_TEXTS = st.lists(
    st.binary(max_size=100).map(lambda line: line.replace(b"\r", b"").replace(b"\n", b"")) | st.just(b"."), max_size=6
).map(b"\r\n".join)


@given(st.binary(max_size=400))
def test_base64_comes_back(octets: bytes) -> None:
    encoded = encode_base64(octets)
    assert decode(encoded, "base64") == octets == base64.b64decode(encoded)
    assert all(len(line) <= 76 for line in encoded.split(b"\r\n"))


@given(CRLF_TEXTS)
def test_quoted_printable_comes_back_with_its_line_ends(octets: bytes) -> None:
    encoded = encode_quoted_printable(octets)
    assert decode(encoded, "quoted-printable") == octets == quopri.decodestring(encoded)
    assert all(len(line) <= 76 and not line.endswith((b" ", b"\t")) for line in encoded.split(b"\r\n"))
    assert is_seven_bit(encoded)


@given(st.lists(st.binary(min_size=1, max_size=45), max_size=5))
def test_uuencoded_octets_come_back(lines: list[bytes]) -> None:
    encoded = b"".join(binascii.b2a_uu(line) for line in lines)
    wrapped = b"text before\r\nbegin 644 a name.bin\r\n" + encoded.replace(b"\n", b"\r\n") + b"`\r\nend\r\n"
    assert decode(wrapped, "x-uuencode") == b"".join(lines)


@given(st.binary(max_size=80), st.sampled_from(["base64", "quoted-printable", "x-uuencode", "7bit", "x-unknown"]))
def test_any_octets_can_be_decoded(octets: bytes, encoding: str) -> None:
    assert isinstance(decode(octets, encoding), bytes)
    assert isinstance(decode(b"begin 644 x\n" + octets, encoding), bytes)


@pytest.mark.parametrize(
    ("encoded", "octets"),
    [
        (b"YWJj", b"abc"),
        (b"YW\r\n Jj!", b"abc"),
        (b"YWI", b"ab"),
        (b"YWJjZ", b"abc"),
        (b"YWI=YWI=", b"ab"),
        (b"=", b""),
        (b"", b""),
    ],
)
def test_damaged_base64_is_read_as_far_as_it_goes(encoded: bytes, octets: bytes) -> None:
    assert decode(encoded, "base64") == octets


@pytest.mark.parametrize(
    ("charset", "octets", "text"),
    [
        ("utf-8", "Grüße".encode(), "Grüße"),
        ("iso-8859-1", b"Gr\xfc\xdfe", "Grüße"),
        ("us-ascii", "Grüße".encode(), "Grüße"),
        ("us-ascii", b"Gr\xfc\xdfe", "Grüße"),
        ("no-such-charset", b"Gr\xfc\xdfe", "Grüße"),
        ("utf-8", b"Gr\xfc", "Grü"),
        ("ks_c_5601-1987", "한국".encode("cp949"), "한국"),
        ("gb2312", "漢字龍".encode("gb18030"), "漢字龍"),
        ("rot13", b"abc", "abc"),
        ("unicode_escape", b"\\n", "\\n"),
        ("../../x\0", b"abc", "abc"),
    ],
)
def test_text_is_read_in_its_charset_or_the_likeliest(charset: str, octets: bytes, text: str) -> None:
    content = f'Content-Type: text/plain; charset="{charset}"\r\n\r\n'.encode() + octets
    assert decode_text(content, parse(content)) == text


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=200))
def test_new_text_comes_back_with_crlf_line_ends(text: str) -> None:
    charset, encoding, body = encode_text(text)
    content = (
        f"Content-Type: text/plain; charset={charset}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n".encode() + body
    )
    expected = text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")
    assert decode_text(content, parse(content)) == expected
    assert is_seven_bit(body)
    assert encoding == "7bit" or all(len(line) <= 76 for line in body.split(b"\r\n"))


def test_new_text_takes_the_plainest_encoding_that_fits() -> None:
    assert encode_text("plain\n") == ("us-ascii", "7bit", b"plain\r\n")
    assert encode_text("Grüße, sonst aber lauter ASCII")[:2] == ("utf-8", "quoted-printable")
    assert encode_text("日本語だけの本文です")[:2] == ("utf-8", "base64")
    assert encode_text("x" * 999)[:2] == ("utf-8", "quoted-printable")


@pytest.mark.parametrize("octets", [b"\0", b"\x80", b"\n", b"\r", b"x" * 999, b"a\r\n\n"])
def test_what_is_not_seven_bit(octets: bytes) -> None:
    assert not is_seven_bit(octets)
    assert is_seven_bit(b"x" * 998 + b"\r\n")


def test_the_body_of_a_part_is_decoded_without_the_line_end_of_its_delimiter() -> None:
    header = (
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Transfer-Encoding: QUOTED-PRINTABLE\r\n\r\n"
    )
    content = header + b"a=\r\nb\r\n--b--"
    (part,) = parse(content).children
    assert decode_body(content, part) == b"ab"
