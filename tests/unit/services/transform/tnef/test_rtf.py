r"""RTF: its compression, de-encapsulated HTML, and plain RTF."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.transform.html import text
from services.transform.tnef import rtf_compression, rtf_html
from services.transform.tnef.rtf_convert import convert
from tests.support.tnef import compressed, u32

# MS-OXRTFCP sections 4.1.1 and 4.1.2.
HELLO = bytes.fromhex(
    "2d0000002b0000004c5a4675f1c5c7a703000a007263706731323542320af32068656c090020627705b06c647d0a800fa0"
)
CROSSING = bytes.fromhex("1a0000001c0000004c5a4675e2d44b51410004205758595a0d6e7d010eb0")

SNIPPETS = st.sampled_from(
    [
        *(
            "{",
            "}",
            "\\",
            "\\'e4",
            "\\'",
            "\\u8364?",
            "\\u-10179 \\u-8704 ",
            "\\uc0 ",
            "\\uc99 ",
            "\\bin5 ",
            "\\bin-5 ",
        ),
        *("\\par ", "\\htmlrtf ", "\\htmlrtf0 ", "{\\*\\htmltag64 <p>}", "{\\fonttbl{\\f1\\fcharset204 A;}}", "\\f1 "),
        *("\\b ", "\\b0 ", "\\fs20 ", "\\cf3 ", "\\cell ", "\\row ", "\\intbl ", "{\\pict\\pngblip ", "ff0", "text "),
        *("{\\colortbl;\\red255;}", '{\\field{\\*\\fldinst HYPERLINK "http://e.com"}{\\fldrslt x}}', "\r\n", "\0", "ä"),
    ]
)


def rtf_of(body: str) -> bytes:
    fonts = r"{\fonttbl{\f0\fswiss Arial;}{\f1\fmodern\fcharset204 Courier;}{\f2\fnil\fcharset128 Mincho;}}"
    return (rf"{{\rtf1\ansi\ansicpg1252\deff0{fonts}\uc1\pard\f0 " + body + "}").encode("latin-1")


def wrapped(body: str) -> str:
    return rtf_html.unwrap(rtf_of(body).replace(b"\\ansi\\", b"\\ansi\\fromhtml1\\", 1))


def test_the_examples_of_the_specification_are_decompressed() -> None:
    assert rtf_compression.decompress(HELLO) == (b"{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n", ())
    assert rtf_compression.decompress(CROSSING) == (b"{\\rtf1 WXYZWXYZWXYZWXYZWXYZ}", ())


@given(st.binary(max_size=9000))
def test_what_was_compressed_comes_back(octets: bytes) -> None:
    assert rtf_compression.decompress(compressed(octets)) == (octets, ())


@pytest.mark.parametrize("length", range(16, len(HELLO) - 2))
def test_a_cut_gives_the_start_and_says_so(length: int) -> None:
    rtf, damage = rtf_compression.decompress(HELLO[:length])
    assert b"{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n".startswith(rtf)
    assert len(damage) == 1


def test_compression_of_an_unknown_kind_gives_nothing() -> None:
    assert rtf_compression.decompress(u32(12) + u32(5) + b"XXXX" + u32(0) + b"hello")[0] == b""
    assert rtf_compression.decompress(b"short")[0] == b""


@given(st.binary(max_size=500))
def test_any_octets_are_decompressed_to_something_bounded(octets: bytes) -> None:
    for candidate in (octets, u32(0) + u32(0xFFFFFFFF) + b"LZFu" + u32(0) + octets):
        rtf, _ = rtf_compression.decompress(candidate)
        assert len(rtf) <= 9 * len(candidate) + 16


@pytest.mark.parametrize(
    ("body", "html"),
    [
        (r"{\*\htmltag64 <p>}\htmlrtf {\htmlrtf0 a\htmlrtf\par}\htmlrtf0 {\*\htmltag72 </p>}", "<p>a</p>"),
        (r"{\*\htmltag84 &lt;}\htmlrtf <\htmlrtf0 b{\*\mhtmltag84 hidden}", "&lt;b"),
        (r"Gr\'fc\'dfe \f1\'ec\'e8\'f0\f0\u8364?\'80", "Grüße мир€€"),
        (r"{\f2\'83e\'83\'58}\'e4", "テスä"),
        (r"\u-10179?\u-8704?", "\U0001f600"),
        (r"a\par b\line c\tab d\~e\endash f\lquote g\rquote", "a\r\nb\r\nc\td&nbsp;e&ndash;f&lsquo;g&rsquo;"),
        (r"{\*\htmltag116 <br />\par }x{\*\htmltag4 \par }", "<br />\r\nx\r\n"),
        (r"{\*\htmltag <a href=\'22x\'22>\{\}\\}y", '<a href="x">{}\\y'),
        (r"{\*\generator Word;}{\info{\title T}}z{\*\unknown{\b q}}", "z"),
    ],
)
def test_html_is_unwrapped(body: str, html: str) -> None:
    assert wrapped(body) == html


def test_plain_text_is_unwrapped() -> None:
    rtf = rb"{\rtf1\ansi\ansicpg1252\fromtext \deff0{\fonttbl{\f0 Courier;}}\pard\f0 <a> & b\par c}"
    assert rtf_html.wraps_text(rtf)
    assert not rtf_html.wraps_html(rtf)
    assert rtf_html.unwrap(rtf) == "<a> & b\r\nc"


@pytest.mark.parametrize(
    ("body", "inner", "text"),
    [
        (r"a {\b b} <c>\par", "<div>a <b>b</b> &lt;c&gt;</div>", "a b <c>"),
        (r"\b a\b0  b\i\ul c\par", "<div><b>a</b> b<u><i>c</i></u></div>", "a bc"),
        (r"\qc a\par\pard b\par", '<div style="text-align:center">a</div>\r\n<div>b</div>', "a\nb"),
        (r"\fs40 a\par", '<div><span style="font-size:20pt">a</span></div>', "a"),
        (r"a\line b", "<div>a<br>\r\nb</div>", "a\nb"),
        (r"{\pntext\'b7\tab}a\par", "<div>·&emsp;a</div>", "·\ta"),
        (
            r'{\field{\*\fldinst HYPERLINK "http://e.com/?a=1&b=2"}{\fldrslt link}}',
            '<div><a href="http://e.com/?a=1&amp;b=2">link</a></div>',
            "link",
        ),
        (r'{\field{\*\fldinst HYPERLINK "javascript:x"}{\fldrslt link}}', "<div>link</div>", "link"),
        (
            r"\trowd\intbl a\cell b\cell\row\pard c\par",
            '<table border="1" style="border-collapse:collapse">\r\n'
            "<tr><td>a</td><td>b</td></tr>\r\n</table>\r\n<div>c</div>",
            "a\tb\nc",
        ),
    ],
)
def test_rtf_becomes_html_and_text(body: str, inner: str, text: str) -> None:
    found = convert(rtf_of(body))
    assert found.html == f"<html><body>\r\n{inner}\r\n</body></html>\r\n"
    assert found.text == text


def test_a_colour_is_kept_unless_it_is_invisible() -> None:
    body = r"{\colortbl;\red255\green0\blue0;\red255\green255\blue255;}\cf1 a\cf2 b\cf0 c\cf77 d\par"
    assert '<span style="color:#ff0000">a</span>bcd' in convert(rtf_of(body)).html


def test_a_picture_goes_along_and_is_referred_to() -> None:
    found = convert(rtf_of(r"a{\*\shppict{\pict\pngblip 89504e470d0a}}{\nonshppict{\pict\wmetafile8 00}}b\par"))
    (picture,) = found.pictures
    assert (picture.content_type, picture.octets) == ("image/png", b"\x89PNG\r\n")
    assert f'<img src="cid:{picture.content_id}"' in found.html
    assert found.text == "ab"


@settings(max_examples=200, deadline=None)
@given(st.lists(SNIPPETS, max_size=40).map("".join))
def test_any_rtf_becomes_something(body: str) -> None:
    rtf = rtf_of(body)
    assert isinstance(rtf_html.unwrap(rtf), str)
    found = convert(rtf)
    assert found.html.count("<div") == found.html.count("</div>")
    assert "\0" not in found.html


@given(st.text(max_size=200))
def test_any_html_has_a_text(html: str) -> None:
    assert isinstance(text.to_text(html), str)


def test_the_text_of_html_is_what_a_reader_sees() -> None:
    html = (
        "<html><head><title>T</title><style>p{}</style></head><body><p>One&nbsp;&amp; two</p><!-- no --><ul><li>three"
        '</ul><script>x()</script>four<br>five <img src="x" alt="six"></body></html>'
    )
    assert text.to_text(html) == "One & two\n\nthree\nfour\nfive six"


def test_a_claim_of_a_charset_becomes_true() -> None:
    html = '<meta http-equiv="Content-Type" content="text/html; charset=koi8-r"><p>charset=x'
    assert text.claim_utf8(html) == html.replace("koi8-r", "utf-8")
