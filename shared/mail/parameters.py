"""The structured value of Content-Type and Content-Disposition (RFC 2045 section 5.1, RFC 2183, RFC 2231).

Quirks: many programs write file names with spaces or parentheses unquoted, so an unquoted name or filename is read as a
whole; boundaries of Notes contain a space; the first of two parameters with the same name counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote_to_bytes

from shared.mail import charset as charsets

_QUOTED = r'"(?:[^"\\]++|\\.)*+\\?"?'  # an unterminated string runs to the end of the value
# Outside of comments: a quoted string, the end of a parameter, or a comment that starts where a word could.
_OUTSIDE = re.compile(rf"{_QUOTED}|;|(?<![^\s;=/])\(", re.DOTALL)
_IN_COMMENT = re.compile(r"\\.|[()]", re.DOTALL)
_IS_FILE_NAME = re.compile(r'\s{0,9}(?:file)?name\s{0,9}=\s{0,9}[^\s"]', re.IGNORECASE)
_KIND = re.compile(r"\s*[^\s/]+(?:\s*/\s*[^\s/]+)*")
_STRING = re.compile(_QUOTED, re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_SECTION = re.compile(r"([^*]+)(?:\*(\d{1,5}))?(\*)?")


def parameters(value: str) -> tuple[str, dict[str, str]]:
    """Return the leading word in lower case (`text/plain`, `attachment`) and the parameters by lower-case name.

    The values are unquoted and RFC 2231 decoded; `name*` has priority over `name`. Accepts any text; time is linear
    in its length.
    """
    segments = _segments(value)
    word = _KIND.match(next(segments, ""))
    kind = "".join(word[0].split()).lower() if word else ""
    plain: dict[str, str] = {}
    sections: dict[str, dict[int, tuple[bool, str]]] = {}
    for segment in segments:
        name, equals, rest = segment.partition("=")
        found = _SECTION.fullmatch(name.strip().lower())
        if not equals or not found:
            continue
        text = _unquote(rest.strip())
        if found[2] is None and found[3] is None:
            plain.setdefault(found[1], text)
        else:
            sections.setdefault(found[1], {}).setdefault(int(found[2] or 0), (found[3] is not None, text))
    return kind, plain | {name: _join(numbered) for name, numbered in sections.items()}


def _segments(value: str) -> Iterator[str]:
    """Yield the text between semicolons outside strings and comments, without the comments."""
    kept: list[str] = []
    start = segment_start = depth = position = 0
    is_file_name = False
    while found := (_IN_COMMENT if depth else _OUTSIDE).search(value, position):
        position = found.end()
        if depth:
            depth += {"(": 1, ")": -1}.get(found[0], 0)
            start = position
        elif found[0] == ";":
            yield "".join(kept) + value[start : found.start()]
            kept, start, segment_start = [], position, position
            is_file_name = _IS_FILE_NAME.match(value, segment_start) is not None
        elif found[0] == "(" and not is_file_name:
            kept.append(value[start : found.start()])
            depth, start = 1, position
    yield "".join(kept) + ("" if depth else value[start:])


def _unquote(text: str) -> str:
    if found := _STRING.match(text):
        closed = len(found[0]) > 1 and found[0].endswith('"')
        return _ESCAPE.sub(r"\1", found[0][1 : -1 if closed else None])
    return text


def _join(numbered: dict[int, tuple[bool, str]]) -> str:
    """Join the sections of one parameter (RFC 2231 section 3) and decode them (section 4)."""
    ordered = [numbered[number] for number in sorted(numbered)]
    charset = ""
    octets: list[bytes] = []
    for index, (is_encoded, text) in enumerate(ordered):
        encoded = text
        if is_encoded and index == 0 and text.count("'") >= 2:
            charset, _, encoded = text.split("'", 2)
        raw = encoded.encode("utf-8", "surrogateescape")
        octets.append(unquote_to_bytes(raw) if is_encoded else raw)
    joined = b"".join(octets)
    decoded = charsets.decode(joined, charset) if charset else None
    return charsets.guess(joined) if decoded is None else decoded
