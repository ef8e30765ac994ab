"""The positions of links in the text: in place of references to their parts, else in a block at the end.

References to a part: `(See attached file: NAME)`, `(Document link: NAME)` and their like in either text, where NAME is
the part's file name, with or without its ending, or the link's name or title; in HTML also a `cid:` of the part, or a
link of Notes' own to the same document.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape, unescape
from pathlib import PurePath
from urllib.parse import unquote

from services.transform.editing.alternatives import Block, block_in
from services.transform.editing.text_body import Replacement, TextBody
from services.transform.html.tokens import Attribute, Token, tokens

_BLANK = r"(?:\s|&nbsp;)"
_REFERENCE = re.compile(
    rf"\((?:See{_BLANK}++attached{_BLANK}++file|(?:Document|Doc|View|Database|Application|Anchor){_BLANK}++link)"
    rf"{_BLANK}*+:{_BLANK}*+",
    re.IGNORECASE,
)
_MAX_REFERENCE = 600  # characters after the colon
_MAX_PARENTHESES = 8  # closing ones looked at: a name may hold some
_NOTES_URL = re.compile(r"notes://[^/]*/([0-9a-f/]{16,84})/?(?:\?.*)?", re.IGNORECASE)
_LABELS = {"notes_url": "Notes", "web_url": "web"}


@dataclass(frozen=True, slots=True)
class Anchor:
    """A link to be placed. addresses: form and URL, as `links` of the settings orders them; at least one.

    target: replica, view and note as a Notes URL holds them. aliases: what the text may call it. content_id: of its
    part.
    """

    name: str
    target: str
    addresses: tuple[tuple[str, str], ...]
    aliases: tuple[str, ...]
    content_id: str | None = None

    @property
    def text(self) -> str:
        """The link as a line of plain text (RFC 3986 appendix C)."""
        return " ".join([self.name, *(f"<{url}>" for _, url in self.addresses)])

    @property
    def html(self) -> str:
        """The link as HTML: its name leads to the first address, the others follow in parentheses."""
        return f'<a href="{escape(self.addresses[0][1])}">{escape(self.name)}</a>{self.others}'

    @property
    def others(self) -> str:
        """The addresses but for the first, as HTML."""
        return "".join(f' (<a href="{escape(url)}">{_LABELS[form]}</a>)' for form, url in self.addresses[1:])


def block_of(anchors: Sequence[Anchor]) -> Block:
    """Return the links one below the other."""
    lines = "<br>\n".join(anchor.html for anchor in anchors)
    return Block("\n".join(anchor.text for anchor in anchors), f"<p>{_in_font(lines)}</p>")


def _in_font(html: str) -> str:
    """Return HTML in the font that Notes itself gives to text without one of its own."""
    return f'<font size="2" face="sans-serif">{html}</font>'


def place(body: TextBody, anchors: Sequence[Anchor]) -> list[Replacement]:
    """Return what puts every link into one text; none for a link whose addresses the text holds already."""
    text = body.text.lower()
    wanted = [anchor for anchor in anchors if not _is_there(text, body.is_html, anchor)]
    search = _Search(body, wanted)
    replacements = list(search.in_html() if body.is_html else search.in_text(0, len(body.text)))
    if left := [anchor for anchor in wanted if id(anchor) not in search.placed]:
        replacements.append(block_in(body, block_of(left)))
    return sorted(replacements, key=lambda replacement: (replacement.start, replacement.end))


def _is_there(lower_text: str, is_html: bool, anchor: Anchor) -> bool:
    urls = (url.lower() for _, url in anchor.addresses)
    return all((escape(url) if is_html else url) in lower_text for url in urls)


def _key(name: str) -> str:
    return " ".join(name.split()).casefold()


@dataclass(slots=True)
class _Opened:
    """A link of the HTML that has begun. anchor: the link it shall be, if any. is_notes: it leads to Notes already."""

    href: Attribute
    is_notes: bool
    anchor: Anchor | None

    def replacements(self, end: int) -> Iterator[Replacement]:
        """Yield what makes it lead to the first address, and puts the others after its end."""
        if self.anchor:
            yield Replacement(self.href.start, self.href.end, f' href="{escape(self.anchor.addresses[0][1])}"')
            if others := self.anchor.others:
                yield Replacement(end, end, others)


class _Search:
    """Finds what refers to each link. `placed` holds the ids of the links found."""

    def __init__(self, body: TextBody, anchors: Sequence[Anchor]) -> None:
        self.text, self.is_html = body.text, body.is_html
        self.by_name: dict[str, list[Anchor]] = {}
        self.by_content_id: dict[str, Anchor] = {}
        self.by_target: dict[str, Anchor] = {}
        self.placed: set[int] = set()
        for anchor in anchors:
            for key in {_key(alias) for alias in (anchor.name, *anchor.aliases)} - {""}:
                self.by_name.setdefault(key, []).append(anchor)
            self.by_target.setdefault(anchor.target, anchor)
            if anchor.content_id:
                self.by_content_id.setdefault(anchor.content_id, anchor)

    def in_text(self, start: int, end: int) -> Iterator[Replacement]:
        """Yield the replacements of references by name in a stretch of text."""
        position = start
        while found := _REFERENCE.search(self.text, position, end):
            position = found.end()
            if named := self._named(found.end(), min(end, found.end() + _MAX_REFERENCE)):
                anchor, position = named
                self.placed.add(id(anchor))
                yield Replacement(found.start(), position, anchor.html if self.is_html else anchor.text)

    def in_html(self) -> Iterator[Replacement]:
        """Yield the replacements of references in HTML, not always in order; no link is put into another."""
        opened: _Opened | None = None
        fonts = 0 if "<font" in self.text.lower() else 1  # open ones; text is in one wherever Notes wrote it
        for token in tokens(self.text):
            if token.kind == "text" and opened is None:
                yield from self.in_text(token.start, token.end)
            elif token.kind == "start" and token.name == "img":
                yield from self._image(token, opened, _in_font if fonts <= 0 else str)
            elif token.name == "font" and token.kind in {"start", "end"}:
                fonts += 1 if token.kind == "start" else -1
            elif token.name == "a" and token.kind in {"start", "end"}:
                if opened:
                    yield from opened.replacements(token.end if token.kind == "end" else token.start)
                opened = self._opened(token) if token.kind == "start" else None
        if opened:
            yield from opened.replacements(len(self.text))

    def _named(self, start: int, end: int) -> tuple[Anchor, int] | None:
        """Return the link that is named from `start` to a closing parenthesis, and where that ends."""
        closing = start
        for _ in range(_MAX_PARENTHESES):
            closing = self.text.find(")", closing, end) + 1
            if not closing:
                return None
            name = self.text[start : closing - 1]
            if anchor := self._called(unescape(name) if self.is_html else name):
                return anchor, closing
        return None

    def _called(self, name: str) -> Anchor | None:
        """Return the link of that name; of several, the first not yet placed."""
        named = self.by_name.get(_key(name), ())
        return next((anchor for anchor in named if id(anchor) not in self.placed), named[-1] if named else None)

    def _of_name(self, reference: str) -> Anchor | None:
        found = _REFERENCE.match(reference.strip())
        return self._called(reference.strip()[found.end() :].removesuffix(")")) if found else None

    def _image(self, token: Token, opened: _Opened | None, styled: Callable[[str], str]) -> Iterator[Replacement]:
        """Yield what replaces an image of the part (an icon in Notes, a broken picture elsewhere), or follows an icon.

        An icon with a file of its own is identified by its alternative text. Notes may have put it into a link without
        a server: that link then gets the new address.
        """
        if anchor := self._of_content_id(token.attribute(self.text, "src")):
            if opened and opened.is_notes and opened.anchor is None:
                opened.anchor = anchor
            if opened is None or opened.anchor is anchor:
                self.placed.add(id(anchor))
            yield Replacement(token.start, token.end, styled(escape(anchor.name) if opened else anchor.html))
        elif opened is None and (anchor := self._of_name(token.attribute(self.text, "alt") or "")):
            self.placed.add(id(anchor))
            yield Replacement(token.end, token.end, f" {styled(anchor.html)}")

    def _opened(self, token: Token) -> _Opened | None:
        href = next((attribute for attribute in token.attributes(self.text) if attribute.name == "href"), None)
        if href is None:
            return None
        url = unescape(self.text[href.value_start : href.value_end])
        found = _NOTES_URL.fullmatch(url)
        anchor = self.by_target.get(found[1].upper()) if found else self._of_content_id(url)
        if anchor:
            self.placed.add(id(anchor))
        return _Opened(href, url[:6].lower() == "notes:", anchor)

    def _of_content_id(self, url: str | None) -> Anchor | None:
        if not url or url[:4].lower() != "cid:":
            return None
        return self.by_content_id.get(url[4:]) or self.by_content_id.get(unquote(url[4:]))


def aliases(file_name: str, title: str) -> tuple[str, ...]:
    """Return what a text may call a link beside its name."""
    return tuple(filter(None, (file_name, PurePath(file_name).stem, title, title.replace("\\", " "))))
