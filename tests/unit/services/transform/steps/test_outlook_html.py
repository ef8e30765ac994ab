"""HTML of Outlook on its way to Notes: the same to look at, without what only Word reads."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.transform.editing.text_body import replaced
from services.transform.html.outlook import reductions
from services.transform.pipeline import Context, convert
from services.transform.steps import outlook_html
from shared.configuration.transform import TransformSettings
from shared.mail.body import decode_text
from shared.mail.edits import apply
from shared.mail.mime import parse

CORPUS = Path(__file__).parents[4] / "corpus" / "outlook_html"
PAIRS = sorted(path for path in CORPUS.glob("*.eml") if not path.name.endswith(".expected.eml"))

MakeContext = Callable[[str, str], Context]


def converted(content: bytes, context: Context) -> bytes:
    conversion = convert(content, context, [outlook_html.STEP])
    assert not [report.failure for report in conversion.reports if report.failure]
    return apply(content, conversion.edits)


def reduced(text: str) -> str:
    return replaced(text, 0, len(text), reductions(text))


class Shown(HTMLParser):
    """What a person sees of HTML, as another parser reads it."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.images: list[str] = []
        self.links: list[str] = []
        self.cells = 0
        self.islands = 0
        self.styles: list[tuple[str, str]] = []
        self._skipped = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self._skipped += tag in {"style", "xml"}
        self.islands += tag == "xml" or ":" in tag
        self.cells += tag == "td"
        self.images += [values.get("src") or ""] if tag == "img" else []
        self.links += [values.get("href") or ""] if tag == "a" else []
        for declaration in (values.get("style") or "").split(";"):
            name, _, value = declaration.partition(":")
            if value and "mso-" not in declaration and not name.strip().startswith("tab-"):
                self.styles.append((name.strip(), value.strip()))

    def handle_endtag(self, tag: str) -> None:
        self._skipped -= tag in {"style", "xml"}

    def handle_data(self, data: str) -> None:
        if not self._skipped:
            self.words += data.split()


def shown(text: str) -> Shown:
    parser = Shown()
    parser.feed(text)
    parser.close()
    return parser


def html_of(content: bytes) -> str:
    return next(decode_text(content, part) for part in parse(content).walk() if part.content_type == "text/html")


@pytest.mark.parametrize("pair", PAIRS, ids=lambda path: path.stem)
def test_corpus_pair(pair: Path, make_context: MakeContext) -> None:
    context = make_context("exchange", "domino")
    result = converted(pair.read_bytes(), context)
    assert result == pair.with_name(f"{pair.stem}.expected.eml").read_bytes()
    assert converted(result, context) == result


@pytest.mark.parametrize("pair", PAIRS, ids=lambda path: path.stem)
def test_another_parser_sees_the_same_text_links_cells_and_styles(pair: Path) -> None:
    before = shown(html_of(pair.read_bytes()))
    after = shown(html_of(pair.with_name(f"{pair.stem}.expected.eml").read_bytes()))
    assert "".join(after.words) == "".join(before.words)
    assert after.links == before.links
    assert after.cells == before.cells
    assert [image for image in after.images if image in before.images] == before.images
    assert [style for style in after.styles if style in before.styles] == before.styles


@pytest.mark.parametrize("name", ["picture_table_and_list", "word_2003_without_fallback", "base64_windows_1252"])
def test_nothing_of_word_is_left(name: str) -> None:
    html = html_of((CORPUS / f"{name}.expected.eml").read_bytes())
    for sign in ("mso-", "<o:", "<v:", "<![", "<!--[", "xmlns", "<xml", "<?xml", "panose", "behavior", "v:shapes"):
        assert sign not in html


@pytest.mark.parametrize("direction", [("domino", "exchange"), ("domino", "domino"), ("exchange", "exchange")])
def test_only_mail_into_notes_is_reduced(direction: tuple[str, str], make_context: MakeContext) -> None:
    content = (CORPUS / "picture_table_and_list.eml").read_bytes()
    assert convert(content, make_context(*direction), [outlook_html.STEP]).reports == ()


def test_the_setting_turns_it_off(make_context: MakeContext) -> None:
    context = dataclasses.replace(make_context("exchange", "domino"), settings=TransformSettings(outlook_html="keep"))
    assert convert((CORPUS / "picture_table_and_list.eml").read_bytes(), context, [outlook_html.STEP]).reports == ()


STRINGS = "<p style=\"background:url(a;mso-b);font-family:'x;mso-y:z'\">"
VML = "<!--[if gte vml 1]><v:shape><v:imagedata src=a></v:shape>"
FONT = "<style>@font-face{font-family:A;src:url(a)}</style>"
RAW = "<textarea><o:p></textarea><script>'<o:p>'</script>"


@pytest.mark.parametrize(
    ("given_html", "expected"),
    [
        ("<!--[if mso]>hidden", "<!--[if mso]>hidden"),
        ("<p style=mso-x:y>a<p style='a:b;mso-x:&quot;;&quot;;c:d'>", "<p>a<p style='a:b;c:d'>"),
        (STRINGS, STRINGS),
        (FONT, FONT),
        (RAW, RAW),
        ("<style>@media print{p{mso-a:b;c:d}q{mso-e:f}}</style>", "<style>@media print{p{c:d}}</style>"),
        ("<![if !vml]><!-- mine --><a title='<![if x]>'>", "<!-- mine --><a title='<![if x]>'>"),
        (f"{VML}<![endif]--><!--[if !vml]--><img src=b><!--[endif]-->", "<img src=b>"),
        (f"{VML}<![endif]-->\r\n<![if !vml]><img src=b><![endif]>", "\r\n<img src=b>"),
        (f"{VML}<![endif]--><img src=b>", '<img src="a"><img src=b>'),
        ("<xml><w:a>Normal</w:a></xml>b<xml>", "b<xml>"),
    ],
)
def test_only_what_is_of_word_goes(given_html: str, expected: str) -> None:
    assert reduced(f"<o:p></o:p>{given_html}") == expected


def test_words_about_word_are_no_sign_of_it() -> None:
    assert reductions("<p>Microsoft Word <![if x]> &lt;o:p></p>") == []


FRAGMENTS = st.lists(
    st.sampled_from(
        [
            *(
                "<o:p>&nbsp;</o:p>",
                "<o:p>",
                "</o:p>",
                "word ",
                "<b>",
                "</b>",
                "<![if !vml]>",
                "<![endif]>",
                "<br/>",
                "\r\n",
            ),
            *(
                "<!--[if gte mso 9]><xml><o:a/></xml><![endif]-->",
                "<!--[if !mso]><!-->",
                "<!--<![endif]-->",
                "<!-- x -->",
            ),
            *("<!--[if gte vml 1]><v:shape style='width:1pt'><v:imagedata src=a&quot;b></v:shape><![endif]-->", "<td>"),
            *(
                "<p style='mso-a:b;color:red' v:x=y>",
                "<a href='x?a;b' style=\"mso-a:'b;c'\">",
                "</a>",
                '<st1:City w:st="on">',
            ),
            *(
                "<style>p{mso-a:b} @list l0{c:d} q{e:f;mso-g:h}</style>",
                "a < b",
                "<img src=x v:shapes='y'>",
                "&lt;o:p&gt;",
            ),
        ]
    ),
    max_size=30,
)


@settings(max_examples=400, deadline=None)
@given(FRAGMENTS)
def test_what_is_shown_stays_and_a_second_pass_changes_nothing(fragments: list[str]) -> None:
    text = '<meta name="Generator" content="Microsoft Word 15">' + "".join(fragments)
    result = reduced(text)
    before, after = shown(text), shown(result)
    assert "".join(after.words) == "".join(before.words)
    assert after.links == before.links
    assert after.cells == before.cells
    assert [image for image in after.images if image == "x"] == [image for image in before.images if image == "x"]
    assert after.islands == 0
    assert reduced(result) == result


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                "<",
                ">",
                "!",
                "--",
                "[if",
                "]",
                "'",
                '"',
                "=",
                "o:p",
                " style",
                "{",
                "}",
                ";",
                "mso-",
                "&",
                "/",
                "xml",
                "?",
                "(",
            ]
        )
    ).map("".join)
)
def test_any_text_is_read(text: str) -> None:
    reduced("<o:p>" + text)
