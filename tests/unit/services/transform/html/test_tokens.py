"""HTML as the tokens a browser sees."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.transform.html.tokens import tokens


def kinds(text: str) -> list[tuple[str, str]]:
    return [(token.kind, text[token.start : token.end]) for token in tokens(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a < b", [("text", "a < b")]),
        ("<p title='a>b'>x</p >", [("start", "<p title='a>b'>"), ("text", "x"), ("end", "</p >")]),
        ("<a b=c'>d'>", [("start", "<a b=c'>"), ("text", "d'>")]),
        (
            "<!-- <p> -->x<!-->y<!--->",
            [("comment", "<!-- <p> -->"), ("text", "x"), ("comment", "<!-->"), ("text", "y"), ("comment", "<!--->")],
        ),
        (
            "<!doctype html><![if x]></ a><?xml?></>",
            [("bogus", part) for part in ("<!doctype html>", "<![if x]>", "</ a>", "<?xml?>", "</>")],
        ),
        (
            "<style><p></styles></STYLE>x",
            [("start", "<style>"), ("raw", "<p></styles>"), ("end", "</STYLE>"), ("text", "x")],
        ),
        ("<style></style>", [("start", "<style>"), ("end", "</style>")]),
        ("<script><p>", [("start", "<script>"), ("raw", "<p>")]),
        ("a<b c='", [("text", "a"), ("unfinished", "<b c='")]),
        ("a<!--", [("text", "a"), ("unfinished", "<!--")]),
    ],
)
def test_tokens(text: str, expected: list[tuple[str, str]]) -> None:
    assert kinds(text) == expected


def test_attributes_are_spans() -> None:
    text = "<o:P a = \"x>y\" b='&lt;' C=d/ e f=\n'>' ='g'>"
    (token,) = tokens(text)
    assert token.name == "o:p"
    assert [
        (attribute.name, text[attribute.value_start : attribute.value_end]) for attribute in token.attributes(text)
    ] == [
        *(("a", "x>y"), ("b", "&lt;"), ("c", "d/"), ("e", ""), ("f", ">"), ("='g'", "")),
    ]
    assert token.attribute(text, "b") == "<"
    assert token.attribute(text, "x") is None


@given(st.lists(st.sampled_from([*"<>!-/='\" ?a", "<style", "</style>", "<a ", "\n", "]"])).map("".join) | st.text())
def test_tokens_cover_every_text_without_gaps(text: str) -> None:
    position = 0
    for token in tokens(text):
        assert token.start == position < token.end
        for attribute in token.attributes(text) if token.kind == "start" else ():
            assert token.start < attribute.start < attribute.end < token.end
            assert attribute.start < attribute.value_start <= attribute.value_end <= attribute.end
        position = token.end
    assert position == len(text)
