"""HTML as the tokens a browser sees (WHATWG HTML, section 13.2.5), each a span of the text: nothing is rewritten.

A parser gives a tree, and a tree is written anew as a whole; spans let a step change one tag and leave the rest byte
for byte. Reading takes time linear in the length of the text and never fails. What a browser drops at the end of an
unfinished text (a tag or a comment that is never closed) is one last token.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from typing import Literal

Kind = Literal["text", "raw", "start", "end", "comment", "bogus", "unfinished"]

_RAW = frozenset({"script", "style", "title", "textarea", "xmp", "iframe", "noembed", "noframes"})
# A quote matters only just after an equals sign.
_TAG = re.compile(r"<(/?)([A-Za-z][^\s/>]*+)((?:[^>=]++|=\s*+\"[^\"]*+\"|=\s*+'[^']*+'|=)*+)>")
_COMMENT = re.compile(r"<!--(?:-?>|.*?--!?>)", re.DOTALL)
_BOGUS = re.compile(r"<(?:[!?]|/[^A-Za-z>])[^>]*+>|</>")
_MARKUP = re.compile(r"<(?=[A-Za-z!?/])")
_ATTRIBUTE = re.compile(r"[\s/]*+([^\s/>=][^\s/>=]*+|=[^\s/>=]*+)(?:\s*+=\s*+(\"[^\"]*+\"|'[^']*+'|[^\s>]*+))?")


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute: its span, with the blanks before it; its name in lower case; the span of its value, if any.

    The value's span is inside the quotes, and empty at `end` where there is no value.
    """

    start: int
    end: int
    name: str
    value_start: int
    value_end: int


@dataclass(frozen=True, slots=True)
class Token:
    """A span of the text. name: the tag's, in lower case, with its prefix; else "".

    raw: the content of an element such as `style`, in which `<` starts no tag. bogus: `<!DOCTYPE …>`, `<![if …]>`,
    `<?xml …>` and what else a browser skips. unfinished: markup that never ends, up to the end of the text.
    """

    kind: Kind
    start: int
    end: int
    name: str = ""

    def attributes(self, text: str) -> Iterator[Attribute]:
        """Yield the attributes of a start tag in their order."""
        position, stop = self.start + 1 + len(self.name), self.end - 1
        while found := _ATTRIBUTE.match(text, position, stop):
            start, end = found.span(2) if found[2] is not None else (found.end(), found.end())
            if end - start > 1 and text[start] in "\"'" and text[end - 1] == text[start]:
                start, end = start + 1, end - 1
            yield Attribute(found.start(), found.end(), found[1].lower(), start, end)
            position = found.end()

    def attribute(self, text: str, name: str) -> str | None:
        """Return the value of a start tag's attribute with its references resolved, or None."""
        return next(
            (
                unescape(text[candidate.value_start : candidate.value_end])
                for candidate in self.attributes(text)
                if candidate.name == name
            ),
            None,
        )


def tokens(text: str) -> Iterator[Token]:
    """Yield the tokens of an HTML text, in order and without gaps."""
    position, size = 0, len(text)
    while position < size:
        markup = _MARKUP.search(text, position)
        if markup is None or markup.start() > position:
            end = markup.start() if markup else size
            yield Token("text", position, end)
            position = end
            continue
        token = _markup(text, position)
        yield token
        position = token.end
        if token.kind == "start" and token.name in _RAW:
            end = _raw_end(text, position, token.name)
            if end > position:
                yield Token("raw", position, end)
            position = end


def _markup(text: str, position: int) -> Token:
    if text.startswith("<!--", position):
        found, kind = _COMMENT.match(text, position), "comment"
    elif found := _TAG.match(text, position):
        return Token("end" if found[1] else "start", position, found.end(), found[2].lower())
    else:
        found, kind = _BOGUS.match(text, position), "bogus"
    if found:
        return Token("comment" if kind == "comment" else "bogus", position, found.end())
    return Token("unfinished", position, len(text))


def _raw_end(text: str, position: int, name: str) -> int:
    found = re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE).search(text, position)
    return found.start() if found else len(text)
