"""Values of header fields: parameters, encoded words, and new fields."""

import re
from email.header import decode_header, make_header

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.mail.header import decode_words, encode_words, fold, parameters, read_fields

UNICODE = st.text(st.characters(exclude_categories=["Cs"]), max_size=120)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("text/plain", ("text/plain", {})),
        ("Text/Plain; CharSet=UTF-8", ("text/plain", {"charset": "UTF-8"})),
        ("text/plain; charset=us-ascii (Plain text)", ("text/plain", {"charset": "us-ascii"})),
        ("text/plain (a;b (nested)); (c) charset=x", ("text/plain", {"charset": "x"})),
        ('a/b; x="with \\"quotes\\"; and more"; y=2', ("a/b", {"x": 'with "quotes"; and more', "y": "2"})),
        ('a/b; x="never closed; y=2', ("a/b", {"x": "never closed; y=2"})),
        ('a/b; x="ends in \\', ("a/b", {"x": "ends in \\"})),
        ("a/b; x=1; X=2;; =3; y", ("a/b", {"x": "1"})),
        ("a/b; boundary==_alternative 006E25D1852585E3_=", ("a/b", {"boundary": "=_alternative 006E25D1852585E3_="})),
        ('a/b; boundary="=_a 0_="', ("a/b", {"boundary": "=_a 0_="})),
        ("attachment; filename=report (1).pdf; size=3", ("attachment", {"filename": "report (1).pdf", "size": "3"})),
        ("attachment; filename*=iso-8859-1'de'%DCber", ("attachment", {"filename": "Über"})),
        ("a; f=plain; f*=utf-8''%C3%BC", ("a", {"f": "ü"})),
        ("a; f*1=b; f*0=a; f*2*=%20c", ("a", {"f": "ab c"})),
        ("a; f*0*=utf-8''%C3; f*1*=%BC", ("a", {"f": "ü"})),
        ("a; f*=x-no-such-charset''%FC", ("a", {"f": "ü"})),
        ("a; f*=%FC%", ("a", {"f": "ü%"})),
        ("", ("", {})),
        (";;", ("", {})),
    ],
)
def test_a_value_is_split_into_its_word_and_parameters(value: str, expected: tuple[str, dict[str, str]]) -> None:
    assert parameters(value) == expected


@given(st.text(st.sampled_from(" ab/;=*'\"\\()%0123\t"), max_size=60) | st.text(max_size=30))
def test_any_text_has_a_word_and_parameters(value: str) -> None:
    _, given_parameters = parameters(value)
    assert all(name == name.lower() for name in given_parameters)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_any_text_survives_in_a_quoted_parameter(text: str) -> None:
    quoted = re.sub(r'(["\\])', r"\\\1", text)
    assert parameters(f'a/b; x="{quoted}"; y=1') == ("a/b", {"x": text, "y": "1"})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("=?ISO-8859-1?Q?M=F6rchen_brunnen?= plain", "Mörchen brunnen plain"),
        ("=?utf-8?B?w7w=?= =?utf-8?B?w7w=?=", "üü"),
        ("=?utf-8?B?ww==?=\r\n =?utf-8?B?vA==?=", "ü"),
        ("=?utf-8?q?a?= b =?utf-8?q?c?=", "a b c"),
        ("=?utf-8?q?a?= =?iso-8859-1?q?=FC?=", "aü"),
        ("=?utf-8*de?q?=C3=BC?=", "ü"),
        ("=?utf-8?q?with blank?=", "with blank"),
        ("=?x-unknown?q?a?= =?x-unknown?q?b?=", "=?x-unknown?q?a?= =?x-unknown?q?b?="),
        ("=?zlib?b?eJwDAAAAAAE=?=", "=?zlib?b?eJwDAAAAAAE=?="),
        ("=?idna?q?xn--a?=", "=?idna?q?xn--a?="),
        ("=?iso-2022-jp?B?GyRCRnxLXDhsGyhC?=", "日本語"),
        ("=?utf-8?b?YW!Jj?=", "abc"),
        ("=?utf-8?b?YWI?=", "ab"),
        ("=?utf-8?q?", "=?utf-8?q?"),
    ],
)
def test_encoded_words_are_decoded_and_unknown_charsets_stay(text: str, expected: str) -> None:
    assert decode_words(text) == expected


@given(UNICODE)
def test_any_text_survives_encoded_words(text: str) -> None:
    encoded = encode_words(text)
    assert re.fullmatch(r"[ -~\t]*", encoded)
    assert decode_words(encoded) == text
    assert encoded == text or all(len(word) <= 56 for word in encoded.split(" "))


@given(st.text("äß日 aAz09", min_size=1, max_size=80).filter(lambda text: not text.isascii()))
def test_the_standard_library_reads_our_encoded_words(text: str) -> None:
    assert str(make_header(decode_header(encode_words(text)))) == text


def test_ascii_stays_as_it_is_and_line_ends_never_do() -> None:
    assert encode_words("Plain: text") == "Plain: text"
    assert "\n" not in encode_words("x\r\nBcc: y")
    assert encode_words("looks like =?utf-8?q?a?=") != "looks like =?utf-8?q?a?="


def read_back(field: bytes) -> str:
    fields, body_start = read_fields(field, 0, 10**6, lambda _: False)
    assert body_start == len(field)
    (only,) = fields
    return only.value(field)


@given(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"), max_size=300).map(
        lambda t: t.strip(" \t")
    )
)
def test_a_new_field_has_its_value_and_no_line_above_the_limit(value: str) -> None:
    field = fold("Subject", value)
    assert all(len(line) <= 998 for line in field.split(b"\r\n"))
    assert read_back(field) == value


@given(st.text(' ab\r\n:"\\', max_size=200))
def test_a_value_never_becomes_two_fields_or_ends_the_header(value: str) -> None:
    fields, _ = read_fields(fold("X", value) + b"Y: 1\r\n\r\n", 0, 10**6, lambda _: False)
    assert [field.name for field in fields] == ["x", "y"]


@given(st.lists(st.text("abc<>@,.", min_size=1, max_size=30), max_size=60).map(" ".join))
def test_lines_of_a_new_field_are_at_most_78_octets_where_blanks_allow(value: str) -> None:
    assert all(len(line) <= 78 for line in fold("To", value).split(b"\r\n"))


@given(st.text("äß日 aAz09", min_size=1, max_size=300).map(str.strip))
def test_lines_with_encoded_words_are_at_most_76_octets(text: str) -> None:
    field = fold("Return-Receipt-To", encode_words("ü" + text))
    assert all(len(line) <= 76 for line in field.split(b"\r\n"))
    assert decode_words(read_back(field)) == "ü" + text


def test_a_new_field_is_not_folded_inside_a_quoted_string() -> None:
    boundary = 'boundary="=_alternative 006E25D1852585E3_= and so long that it has to be folded somewhere"'
    assert boundary.encode() in fold("Content-Type", f"multipart/alternative; {boundary}")


@given(st.integers(990, 4000), st.sampled_from("aü日"))
def test_a_word_above_998_octets_is_broken_between_characters(length: int, character: str) -> None:
    field = fold("X", character * length)
    assert all(len(line) <= 998 for line in field.split(b"\r\n"))
    assert read_back(field).replace(" ", "") == character * length
