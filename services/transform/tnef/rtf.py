r"""RTF as a sequence of tokens with decoded text (Rich Text Format 1.9.1).

The reader keeps what decides how bytes become text: code page of the document, of the fonts and of the current font,
`\ucN` and the characters it skips after `\uN`, `\binN`. Destinations that hold no text of the document (fonts, colours,
styles, pictures' bytes) are recognized by the consumers. Time is linear in the bytes; groups may nest without
limit, because nothing is recursive.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from services.transform.tnef import codepage as codepages

_TOKEN = re.compile(
    rb"\\(?:(?P<word>[a-zA-Z]{1,32})(?P<number>-?[0-9]{1,10})?\x20?|'(?P<hex>[0-9a-fA-F]{2})|(?P<symbol>[^a-zA-Z]))"
    rb"|(?P<open>\{)|(?P<close>\})|(?P<text>[^\\{}\r\n\x00]+)|(?P<other>.)",
    re.DOTALL,
)
_SYMBOLS = {"~": "\u00a0", "_": "\u2011", "-": "\u00ad"}
WORDS = {
    "lquote": "\u2018",
    "rquote": "\u2019",
    "ldblquote": "\u201c",
    "rdblquote": "\u201d",
    "bullet": "\u2022",
    "endash": "\u2013",
    "emdash": "\u2014",
    "enspace": "\u2002",
    "emspace": "\u2003",
    "qmspace": "\u2005",
    "zwj": "\u200d",
    "zwnj": "\u200c",
    "tab": "\t",
}
# The charsets of \fcharsetN (Rich Text Format 1.9.1, "Font Table").
_CHARSETS = dict(
    zip(
        (0, 1, 77, 128, 129, 130, 134, 136, 161, 162, 163, 177, 178, 186, 204, 222, 238, 254, 255),
        (1252, 1252, 10000, 932, 949, 1361, 936, 950, 1253, 1254, 1258, 1255, 1256, 1257, 1251, 874, 1250, 437, 850),
        strict=True,
    )
)

Kind = Literal["open", "close", "word", "text"]


class Token(NamedTuple):
    """A piece of RTF. text: of a `word` its name, of a `text` its characters. number: of a word, None without one."""

    kind: Kind
    text: str = ""
    number: int | None = None


class _Group(NamedTuple):
    """What a closing brace restores. table: inside the font table."""

    codepage: int
    skip: int
    table: bool


def read_rtf(rtf: bytes) -> Iterator[Token]:
    r"""Yield the tokens. `\*` is the word "*"; characters given by words or symbols are text; raw line ends are not."""
    return _Reader(rtf).tokens()


class _Reader:
    def __init__(self, rtf: bytes) -> None:
        self.rtf = rtf
        self.default = 1252
        self.fonts: dict[int, int] = {}
        self.font = 0  # the entry of the font table being read
        self.group = _Group(self.default, 1, False)
        self.groups: list[_Group] = []
        self.octets: list[bytes] = []
        self.to_skip = 0  # characters that stand for the \uN before them
        self.high = 0  # the first half of a surrogate pair

    def tokens(self) -> Iterator[Token]:
        position = 0
        while found := _TOKEN.match(self.rtf, position):
            position = found.end()
            kind = found.lastgroup
            if kind in ("word", "number"):
                number = found["number"]
                value = int(number) if number else None
                word = found["word"].decode()
                if word == "bin":
                    position += max(value or 0, 0)
                elif word == "u" and value is not None:
                    yield from self._flush()
                    yield from self._unicode(value & 0xFFFF)
                elif self.to_skip and word in WORDS:
                    self.to_skip -= 1
                else:
                    yield from self._flush()
                    self._note(word, value)
                    yield Token("text", WORDS[word]) if word in WORDS else Token("word", word, value)
            elif kind == "hex":
                self._literal(bytes((int(found["hex"], 16),)))
            elif kind == "text":
                self._literal(found["text"])
            elif kind == "symbol":
                yield from self._symbol(found["symbol"])
            elif kind in ("open", "close"):
                yield from self._flush()
                self.to_skip = 0
                self._brace(kind == "open")
                yield Token("open" if kind == "open" else "close")
        yield from self._flush()

    def _brace(self, opens: bool) -> None:
        if opens:
            self.groups.append(self.group)
        elif self.groups:
            self.group = self.groups.pop()

    def _symbol(self, octet: bytes) -> Iterator[Token]:
        symbol = octet.decode("latin-1")
        if symbol in "\\{}":
            self._literal(octet)
            return
        yield from self._flush()
        if symbol in "\r\n":
            yield Token("word", "par")
        elif symbol in _SYMBOLS and self.to_skip:
            self.to_skip -= 1
        elif symbol in _SYMBOLS:
            yield Token("text", _SYMBOLS[symbol])
        elif symbol == "*":
            yield Token("word", "*")

    def _literal(self, octets: bytes) -> None:
        skipped = min(self.to_skip, len(octets))
        self.to_skip -= skipped
        if skipped < len(octets):
            self.octets.append(octets[skipped:])

    def _flush(self) -> Iterator[Token]:
        if self.octets:
            text = codepages.decode(b"".join(self.octets), self.group.codepage)
            self.octets = []
            yield Token("text", text)

    def _unicode(self, unit: int) -> Iterator[Token]:
        self.to_skip = self.group.skip
        if 0xD800 <= unit < 0xDC00:
            self.high = unit
        elif 0xDC00 <= unit < 0xE000:
            if self.high:
                yield Token("text", chr(0x10000 + ((self.high & 0x3FF) << 10) + (unit & 0x3FF)))
            self.high = 0
        else:
            self.high = 0
            yield Token("text", chr(unit))

    def _note(self, word: str, value: int | None) -> None:
        """Apply the word to the state of code pages."""
        group = self.group
        if word == "ansicpg" and value:
            self.default = value
            self.group = group._replace(codepage=value)
        elif word in ("mac", "pc", "pca"):
            self.default = {"mac": 10000, "pc": 437, "pca": 850}[word]
            self.group = group._replace(codepage=self.default)
        elif word == "uc":
            self.group = group._replace(skip=min(max(value or 0, 0), 16))
        elif word == "fonttbl":
            self.group = group._replace(table=True)
        elif word == "f" and value is not None:
            self.font = value
            if not group.table:
                self.group = group._replace(codepage=self.fonts.get(value, self.default))
        elif word == "fcharset" and group.table:
            self.fonts[self.font] = _CHARSETS.get(value or 0, self.default) if value else self.default
        elif word == "cpg" and group.table and value:
            self.fonts[self.font] = value
        elif word == "plain":
            self.group = group._replace(codepage=self.default)
