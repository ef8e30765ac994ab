"""A text part as text that can be edited: changes by character, written back as edits in its charset and encoding.

Only the lines that a change touches are written anew; every other octet of the part stays. New characters that the
part's charset lacks become character references in HTML; any other part is then written anew as a whole, in UTF-8.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from services.transform.editing.declaration import declare
from shared.mail import charset as charsets
from shared.mail.edits import Edit
from shared.mail.mime import Entity
from shared.mail.transfer import (
    IDENTITIES,
    decode,
    encode_base64,
    encode_quoted_printable,
    encode_text,
)

_MAX_LINE = 998  # octets without CRLF (RFC 5322 section 2.1.1)
_LINE = re.compile(rb"[^\n]*+\n|[^\n]++")
_QP_LINE = re.compile(rb"(?:[^\n=]++|=\r?\n|=)*+\n|(?:[^\n=]++|=\r?\n|=)++")  # a soft line break ends no line
_SURROGATE = re.compile("[\ud800-\udfff]")
_KNOWN_ENCODINGS = IDENTITIES | {"quoted-printable", "base64", "x-uuencode", "uuencode", "x-uue", "uue"}


@dataclass(frozen=True, slots=True, order=True)
class Replacement:
    """Replace text[start:end] by `text`. Offsets are characters; sorted and never overlapping, as edits are."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of the encoded body: its span in the content, and how many characters it holds."""

    start: int
    end: int
    length: int


@dataclass(frozen=True, slots=True)
class TextBody:
    """The text of one part, its line ends as they are; octets that are none of its charset are surrogate escapes.

    newline: the line end that new lines of this part get.
    """

    entity: Entity
    text: str
    newline: str
    _content: bytes = field(repr=False)
    _codec: str
    _lines: tuple[_Line, ...] = field(repr=False)  # none where only the whole can be written anew

    @property
    def is_html(self) -> bool:
        """Whether the text is HTML, so that what is put into it must be escaped."""
        return self.entity.content_type == "text/html"

    def edits(self, replacements: Sequence[Replacement]) -> list[Edit]:
        """Return the edits over the content that make the replacements. Raises ValueError where they overlap."""
        _check(replacements, len(self.text))
        if self.is_html:
            replacements = [Replacement(one.start, one.end, self._referenced(one.text)) for one in replacements]
        changed = self._line_edits(replacements) if replacements else []
        return self._whole(replacements) if changed is None else changed

    def _referenced(self, text: str) -> str:
        try:
            text.encode(self._declared)
        except UnicodeError:
            return text.encode("ascii", "xmlcharrefreplace").decode("ascii")
        return text

    @property
    def _declared(self) -> str:
        """The codec in which a reader who trusts the part's header reads new text."""
        declared = charsets.codec(self.entity.parameters.get("charset", "us-ascii"))
        return self._codec if self._codec == declared else "ascii"

    def _line_edits(self, replacements: Sequence[Replacement]) -> list[Edit] | None:
        """Return one edit a run of touched lines, or None where charset or encoding cannot hold the result."""
        if not self._lines:
            return None
        starts = [0, *accumulate(line.length for line in self._lines)]
        edits: list[Edit] = []
        for first, last, run in _runs(replacements, starts):
            new = replaced(self.text, starts[first], starts[last + 1], run)
            start, end = self._lines[first].start, self._lines[last].end
            encoded = self._encoded(new, [one.text for one in run], self._content[start:end])
            if encoded is None:
                return None
            edits.append(_trimmed(self._content, Edit(start, end, encoded)))
        return _delimited(self._content, self.entity, edits)

    def _encoded(self, text: str, new_texts: Iterable[str], before: bytes) -> bytes | None:
        try:
            octets = text.encode(self._codec, "surrogateescape")
            new_octets = b"".join(new.encode(self._declared) for new in new_texts)
            if octets.decode(self._codec, "surrogateescape") != text:
                return None
        except UnicodeError:
            return None
        encoding = self.entity.transfer_encoding
        if encoding == "quoted-printable":
            return encode_quoted_printable(octets)
        if encoding == "base64":
            return encode_base64(octets)
        if encoding not in IDENTITIES:
            return None
        if encoding != "binary" and _longest_line(octets) > max(_MAX_LINE, _longest_line(before)):
            return None
        return octets if encoding in {"8bit", "binary"} or new_octets.isascii() else None

    def _whole(self, replacements: Sequence[Replacement]) -> list[Edit]:
        """Return the edits that write the whole part anew, in UTF-8 or US-ASCII."""
        text = replaced(self.text, 0, len(self.text), replacements)
        charset, encoding, body = encode_text(_SURROGATE.sub("\ufffd", text))
        body_edit = Edit(self.entity.body_start, self.entity.end, body)
        return [
            *declare(self._content, self.entity, charset, encoding),
            *_delimited(self._content, self.entity, [body_edit]),
        ]


def read_text(content: bytes, entity: Entity) -> TextBody | None:
    """Return the text of a text part, or None where it must not or cannot be changed.

    That is: protected, no text, or in an unknown transfer encoding. A charset that is unknown, or US-ASCII with other
    octets in it, is read as UTF-8 where valid, else as Windows-1252.
    """
    if entity.is_protected or entity.children or not entity.content_type.startswith("text/"):
        return None
    if entity.transfer_encoding not in _KNOWN_ENCODINGS:
        return None
    octets = decode(content[entity.body_start : entity.end], entity.transfer_encoding)
    codec, is_exact = _reading(entity.parameters.get("charset", "us-ascii"), octets)
    text = octets.decode(codec, "surrogateescape" if is_exact else "replace")
    lines = _lines(content, entity, codec, text) if is_exact else ()
    newline = "\n" if "\n" in text and "\r\n" not in text else "\r\n"
    return TextBody(entity, text, newline, content, codec, lines)


def replaced(text: str, start: int, end: int, replacements: Sequence[Replacement]) -> str:
    """Return text[start:end] as the replacements leave it; all of them are inside, in order."""
    pieces: list[str] = []
    for one in replacements:
        pieces += (text[start : one.start], one.text)
        start = one.end
    return "".join([*pieces, text[start:end]])


def _delimited(content: bytes, entity: Entity, edits: list[Edit]) -> list[Edit]:
    """Keep the empty line before the body, and the line end before the delimiter line after it."""
    if not edits:
        return []
    first, header = edits[0], content[entity.start : entity.body_start]
    if not header.endswith((b"\n\n", b"\n\r\n")) and header not in {b"\n", b"\r\n"}:
        empty_line = Edit(entity.body_start, entity.body_start, b"\r\n")
        touches = first.start == entity.body_start
        edits = [_joined(empty_line, first), *edits[1:]] if touches else [empty_line, *edits]
    last = edits[-1]
    if entity.end < len(content) and content[entity.end : entity.end + 1] not in {b"\r", b"\n"}:
        line_end = Edit(entity.end, entity.end, b"\r\n")
        edits = [*edits[:-1], _joined(last, line_end)] if last.end == entity.end else [*edits, line_end]
    return edits


def _joined(first: Edit, second: Edit) -> Edit:
    return Edit(first.start, second.end, first.replacement + second.replacement)


def _reading(charset: str, octets: bytes) -> tuple[str, bool]:
    """Return the codec that reads the octets, and whether it writes the same octets again, ASCII as ASCII."""
    codec = charsets.codec(charset)
    if codec is None or (codec == "ascii" and not octets.isascii()):
        try:
            octets.decode()
        except UnicodeDecodeError:
            return "cp1252", True
        return "utf-8", True
    try:
        is_exact = octets.decode(codec, "surrogateescape").encode(codec, "surrogateescape") == octets
    except UnicodeError:
        return codec, False
    return codec, is_exact and "\r\n".encode(codec) == b"\r\n"


def _lines(content: bytes, entity: Entity, codec: str, text: str) -> tuple[_Line, ...]:
    """Return the lines that can be written one without another; one line where they cannot be told apart."""
    encoding, start = entity.transfer_encoding, entity.body_start
    one_line = (_Line(start, entity.end, len(text)),)
    pattern = _QP_LINE if encoding == "quoted-printable" else _LINE if encoding in IDENTITIES else None
    if pattern is None:
        return one_line
    lines: list[_Line] = []
    at = 0
    for found in pattern.finditer(content, start, entity.end):
        try:
            line = decode(found[0], encoding).decode(codec, "surrogateescape")
        except UnicodeError:
            return one_line
        if not text.startswith(line, at):
            return one_line
        lines.append(_Line(found.start(), found.end(), len(line)))
        at += len(line)
    return tuple(lines) if lines and at == len(text) else one_line


def _runs(
    replacements: Sequence[Replacement], starts: Sequence[int]
) -> Iterator[tuple[int, int, Sequence[Replacement]]]:
    """Yield first line, last line and the replacements in them, for each run of lines that are touched."""
    lines = len(starts) - 1
    run: list[Replacement] = []
    first = last = 0
    for one in replacements:
        from_line = min(bisect_right(starts, one.start), lines) - 1
        if run and from_line > last:
            yield first, last, run
            run = []
        first = first if run else from_line
        last = min(bisect_right(starts, one.end), lines) - 1
        run.append(one)
    if run:
        yield first, last, run


def _check(replacements: Sequence[Replacement], length: int) -> None:
    position = 0
    for one in replacements:
        if not position <= one.start <= one.end <= length:
            raise ValueError(f"{one.start}:{one.end} overlaps an earlier replacement or reaches outside the text")
        position = one.end


def _trimmed(content: bytes, edit: Edit) -> Edit:
    """Leave out what the edit would replace by the same octets, at its start and at its end."""
    old, new = content[edit.start : edit.end], edit.replacement
    head = _common(old, new)
    tail = _common(old[head:][::-1], new[head:][::-1])
    return Edit(edit.start + head, edit.end - tail, new[head : len(new) - tail])


def _common(one: bytes, other: bytes) -> int:
    """Return how many octets two texts have in common at their start."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one[low:middle] == other[low:middle] else (low, middle - 1)
    return low


def _longest_line(octets: bytes) -> int:
    return max(len(line.rstrip(b"\r")) for line in octets.split(b"\n"))
