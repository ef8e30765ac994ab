"""Text parts edited by character, in the charset and the transfer encoding they have."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.transform.editing.text_body import Replacement, TextBody, read_text
from shared.mail.body import decode_body, decode_text
from shared.mail.edits import apply
from shared.mail.mime import parse
from shared.mail.transfer import encode_base64, encode_quoted_printable


def body_of(content: bytes) -> TextBody:
    body = read_text(content, parse(content))
    assert body is not None
    return body


def message(content_type: str, encoding: str, body: bytes) -> bytes:
    header = f"Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: {content_type}\r\nContent-Transfer-Encoding: {encoding}"
    return header.encode() + b"\r\n\r\n" + body


def encoded(octets: bytes, encoding: str) -> bytes:
    return {"quoted-printable": encode_quoted_printable, "base64": encode_base64}.get(encoding, bytes)(octets)


def test_only_the_touched_line_changes() -> None:
    content = message("text/plain; charset=iso-8859-1", "8bit", b"caf\xe9\r\nold\r\n\xe9nd\r\n")
    assert apply(content, body_of(content).edits([Replacement(6, 9, "n\xe9w")])) == content.replace(b"old", b"n\xe9w")


def test_quoted_printable_of_another_writer_stays_but_for_the_touched_line() -> None:
    content = message("text/plain; charset=utf-8", "quoted-printable", b"=41=\r\nb\r\nold\r\n=c3=a4=\r\n\r\n")
    expected = content.replace(b"old", b"n=C3=A4w")
    assert apply(content, body_of(content).edits([Replacement(4, 7, "n\xe4w")])) == expected


def test_base64_keeps_the_octets_before_the_change() -> None:
    content = message("text/plain; charset=utf-8", "base64", encode_base64(b"a" * 570 + b"old\r\n"))
    (edit,) = body_of(content).edits([Replacement(570, 573, "new")])
    assert edit.start > len(content) - 16
    assert decode_body(apply(content, [edit]), parse(content)) == b"a" * 570 + b"new\r\n"


def test_html_gets_character_references_where_its_charset_lacks_a_character() -> None:
    content = message("text/html; charset=us-ascii", "7bit", b"<p>x</p>\r\n")
    assert apply(content, body_of(content).edits([Replacement(3, 4, "\u65e5")])).endswith(
        b"\r\n\r\n<p>&#26085;</p>\r\n"
    )


@pytest.mark.parametrize(
    ("given_type", "expected_type"),
    [
        (b'text/plain; charset="us-ascii"; format=flowed', b"text/plain; charset=utf-8; format=flowed"),
        (b"text/plain", b"text/plain; charset=utf-8"),
        (b"text/plain; charset*=''us-ascii; format=flowed", b'text/plain; charset=utf-8; format="flowed"'),
        (b"text", b"text/plain; charset=utf-8"),
        (b'text/plain; x="; charset=y"; charset', b'text/plain; charset=utf-8; x="; charset=y"'),
        ("text/plain; ch\xe9rset=x; format=flowed".encode("latin-1"), b'text/plain; charset=utf-8; format="flowed"'),
    ],
)
def test_plain_text_becomes_utf_8_where_its_charset_lacks_a_character(given_type: bytes, expected_type: bytes) -> None:
    content = message("X", "7bit", b"Hello\r\n").replace(b"X", given_type)
    result = apply(content, body_of(content).edits([Replacement(5, 5, " caf\xe9")]))
    assert b"Content-Type: " + expected_type + b"\r\nContent-Transfer-Encoding: quoted-printable\r\n" in result
    assert decode_text(result, parse(result)) == "Hello caf\xe9\r\n"


def test_a_message_without_mime_fields_gets_them_for_new_characters() -> None:
    content = b"Subject: x\r\n\r\nHello\r\n"
    result = apply(content, body_of(content).edits([Replacement(0, 0, "\xe9")]))
    assert result.startswith(b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Enc")
    assert decode_text(result, parse(result)) == "\xe9Hello\r\n"


def test_undecodable_octets_stay_on_their_line() -> None:
    content = message("text/plain; charset=utf-8", "8bit", b"\xff\xfe old\r\n")
    assert apply(content, body_of(content).edits([Replacement(3, 6, "new")])).endswith(b"\xff\xfe new\r\n")


def test_a_line_that_grows_beyond_998_octets_takes_an_encoding() -> None:
    content = message("text/plain", "7bit", b"a" * 990 + b"\r\n")
    result = apply(content, body_of(content).edits([Replacement(990, 990, "b" * 20)]))
    assert max(map(len, result.split(b"\r\n"))) <= 998
    assert decode_text(result, parse(result)) == "a" * 990 + "b" * 20 + "\r\n"


@pytest.mark.parametrize(
    "content",
    [
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\n--b--\r\n",
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n--b--\r\n",
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n--b--\r\n",
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n--b--\r\n",
    ],
)
@pytest.mark.parametrize("new", ["See: you", "S\xe9e: you"])
def test_an_empty_part_can_be_written_into(content: bytes, new: str) -> None:
    part = parse(content).children[0]
    body = read_text(content, part)
    assert body
    result = apply(content, body.edits([Replacement(0, 0, new)]))
    (child,) = parse(result).children
    assert decode_text(result, child) == new
    assert result.endswith(b"\r\n--b--\r\n")


@pytest.mark.parametrize(
    "content",
    [
        message("application/pgp", "7bit", b"x"),
        message("text/plain", "7bit", b"-----BEGIN PGP MESSAGE-----\r\n"),
        message("image/png", "base64", b"AAAA"),
        message("text/plain", "x-yenc", b"x"),
    ],
)
def test_what_must_not_be_changed_is_not_read(content: bytes) -> None:
    assert read_text(content, parse(content)) is None


def test_overlapping_replacements_are_an_error() -> None:
    body = body_of(b"\r\nabc")
    with pytest.raises(ValueError, match="overlaps"):
        body.edits([Replacement(0, 2, ""), Replacement(1, 3, "")])


CHARSETS = [
    "us-ascii",
    "utf-8",
    "iso-8859-1",
    "windows-1252",
    "iso-2022-jp",
    "shift_jis",
    "gb2312",
    "utf-7",
    "utf-16",
    "x",
]
ENCODINGS = ["7bit", "8bit", "binary", "quoted-printable", "base64"]
WORDS = st.text(alphabet="ab =<>.\t\r\n\xe9\u65e5\u20ac\\", max_size=30)


@settings(max_examples=400, deadline=None)
@given(
    WORDS,
    st.sampled_from(CHARSETS),
    st.sampled_from(ENCODINGS),
    st.sampled_from(["text/plain", "text/html"]),
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40), WORDS), max_size=3),
)
def test_the_text_reads_as_changed(
    text: str, charset: str, encoding: str, kind: str, wishes: list[tuple[int, int, str]]
) -> None:
    """Whatever charset and encoding the part has, a reader of the result sees the replaced text."""
    octets = text.encode(charset if charset != "x" else "ascii", "replace")
    content = message(f"{kind}; charset={charset}", encoding, encoded(octets, encoding))
    body = body_of(content)
    expected, replacements, at = "", [], 0
    for start, end, new in sorted(wishes):
        if at <= start <= end <= len(body.text):
            expected += body.text[at:start] + new
            replacements.append(Replacement(start, end, new))
            at = end
    expected += body.text[at:]
    result = apply(content, body.edits(replacements))
    shown = decode_text(result, parse(result))
    if kind == "text/html":
        for character in "\xe9\u65e5\u20ac":
            shown = shown.replace(f"&#{ord(character)};", character)
    assert shown.splitlines() == expected.splitlines()
    if not replacements:
        assert result == content


@settings(max_examples=400, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [b"=", b"=\r\n", b"\r\n", b"\n", b"\r", b"=3", b"=3D", b"a" * 30, b" ", b"\xe9", b"\x1b$B", b"+2AA-"]
        )
        | st.binary(max_size=4)
    ),
    st.sampled_from(CHARSETS),
    st.sampled_from([*ENCODINGS, "x-uuencode"]),
    st.integers(0, 50),
)
def test_any_octets_are_some_text(pieces: list[bytes], charset: str, encoding: str, at: int) -> None:
    content = message(f"text/plain; charset={charset}", encoding, b"".join(pieces))
    body = read_text(content, parse(content))
    if body is None:
        assert charset in ("utf-16", "utf-7"), "written as a whole, and not readable"
        return
    at = min(at, len(body.text))
    result = apply(content, body.edits([Replacement(at, at, "XYZ")]))
    if charset in ("us-ascii", "x") and b"\x1b" in body.text.encode("utf-8", "surrogatepass"):
        assert b"XYZ" in decode_body(result, parse(result)), "an escape without a label may begin to mean something"
        return
    assert decode_text(result, parse(result)).count("XYZ") >= 1
    assert "\ufffd" not in decode_text(result, parse(result)) or b"\xef\xbf\xbd" in decode_body(content, parse(content))


JAPANESE = {
    "vendor characters": b"\x1b$B2q5D-!-j|b66MM\x1b(B",
    "JIS X 0212": b'\x1b$(D"q\x1b(B',
    "half-width katakana": b"\x1b(I123\x1b(B",
    "katakana between SO and SI": b"\x0e123\x0f",
    "JIS C 6226": b"\x1b$@2q5D\x1b(J",
    "a cell without a character": b"\x1b$B2q~~\x1b(B",
    "an escape of no charset": b"\x1b%G\xe4\xb8\x80\x1b%@",
}


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("octets", JAPANESE.values(), ids=JAPANESE)
def test_iso_2022_jp_keeps_its_bytes_around_a_change(octets: bytes, encoding: str) -> None:
    lines = b"<p>" + octets + b"<o:p></o:p>" + octets + b"</p>\r\n" + octets + b"\r\n"
    content = message("text/html; charset=ISO-2022-JP", encoding, encoded(lines, encoding))
    body = body_of(content)
    at = body.text.index("</p>")
    result = apply(content, body.edits([Replacement(at, at, "<b>x</b>")]))
    changed = decode_body(result, parse(result))
    before, after = lines.split(b"</p>")
    assert changed.startswith(before.removesuffix(b"\x1b(J"))
    assert changed.endswith(b"</p>" + after)
    assert body_of(result).text == body.text.replace("</p>", "<b>x</b></p>")


@pytest.mark.parametrize(
    ("charset", "octets"),
    [
        ("shift_jis", b"\x87\x8a\xfa\x54\xee\xef"),  # one character at several places: NEC's and IBM's
        ("windows-31j", b"\xed\x40\xfa\x5c\x81\xca"),
        ("euc-jp", b"\xad\xa1\xf9\xa1\x8f\xa2\xb7\x8e\xb1"),
        ("big5", b"\xf9\xda\x9d\xef\xa2\x41\xa1\xc3\xa1\xc5"),
        ("big5-hkscs", b"\x88\x62\x88\x64\x9d\xef"),
        ("gb2312", b"\x80\xa8\xbc\xfe\x50\x81\x30\x81\x30"),
        ("ks_c_5601-1987", b"\x81\x41\xc6\x52"),
        ("tis-620", b"\xa1\x85\x93"),
        ("iso-8859-9", b"\x93\xfe\x94"),
        ("shift_jis", b"\x81\xad\x82\xa0\xa0"),
        ("utf-8", b"\xff\xe3\x81"),
        ("us-ascii", b"\x93\xe6\xef"),
        ("no-such-charset", b"\xc8\xb1\x81\xad"),
    ],
)
def test_bytes_beside_a_change_stay_in_every_charset(charset: str, octets: bytes) -> None:
    content = message(f"text/plain; charset={charset}", "8bit", octets + b" old " + octets + b"\r\n")
    body = body_of(content)
    at = body.text.index("old")
    result = apply(content, body.edits([Replacement(at, at + 3, "n\u2460w")]))
    shown = decode_body(result, parse(result))
    assert b"\xef\xbf\xbd" not in shown
    if b"charset=utf-8" not in result or charset == "utf-8":
        assert shown.startswith(octets + b" n")
        assert shown.rstrip().endswith(b"w " + octets)
    else:
        assert decode_text(result, parse(result)) == body.text.replace("old", "n\u2460w")


def test_a_first_half_of_a_character_is_not_joined_to_what_follows() -> None:
    content = message("text/html; charset=shift_jis", "8bit", b"\xe9<o:p>a</o:p>\r\n")
    body = body_of(content)
    assert apply(content, body.edits([Replacement(1, 6, "")])).endswith(b"\r\n\r\n\xe9 a</o:p>\r\n")
