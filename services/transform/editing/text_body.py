"""A text part as text that can be edited: changes by character, written back as edits of its bytes.

The bytes of a character that no replacement touches stay, even where the part's charset has two ways to write it, or
where some bytes stand for no character. Only the lines that a change touches are encoded anew for transfer. New
characters that the charset lacks become character references in HTML. For their sake any other part is written anew in
UTF-8, but only where all of it was read exactly by a label that its sender wrote; else they become `?`.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, chain

from services.transform.editing.declaration import declare
from services.transform.html.declared import declared_charset
from shared.mail.charset import BYTES, Charset, encode, find, is_ascii
from shared.mail.charset_names import is_charset
from shared.mail.edits import Edit
from shared.mail.mime import Entity
from shared.mail.transfer import (
    IDENTITIES,
    decode,
    encode_base64,
    encode_quoted_printable,
    encode_text,
)
from shared.mail.unlabelled import recognise

_MAX_LINE = 998  # bytes without CRLF (RFC 5322 section 2.1.1)
_LINE_END = re.compile(rb"\n")
_SHIFTS = re.compile(rb"[\x0e\x0f\x1b]")
_QP_LINE = re.compile(rb"(?:[^\n=]++|=\r?\n|=)*+\n|(?:[^\n=]++|=\r?\n|=)++")  # a soft line break ends no line
_KNOWN_ENCODINGS = IDENTITIES | {"quoted-printable", "base64", "x-uuencode", "uuencode", "x-uue", "uue"}


@dataclass(frozen=True, slots=True, order=True)
class Replacement:
    """Replace text[start:end] by `text`. Offsets are characters; sorted and never overlapping, as edits are."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class _Reading:
    """How the bytes of a part are read.

    charset: that they are read by. writable: the label that new text is read by.
    is_exact: whether the text is what its sender wrote, all of it.
    """

    charset: Charset
    writable: str
    is_exact: bool


@dataclass(frozen=True, slots=True)
class TextBody:
    """The text of one part, its line ends as they are; a byte n that is none of its charset is U+DC00 + n.

    newline: the line end that new lines of this part get.
    """

    entity: Entity
    text: str
    newline: str
    _content: bytes = field(repr=False)
    _octets: bytes = field(repr=False)  # without the transfer encoding
    _reading: _Reading

    @property
    def is_html(self) -> bool:
        """Whether the text is HTML, so that what is put into it must be escaped."""
        return self.entity.content_type == "text/html"

    def edits(self, replacements: Sequence[Replacement]) -> list[Edit]:
        """Return the edits over the content that make the replacements. Raises ValueError where they overlap."""
        _check(replacements, len(self.text))
        replacements = [
            replacement for replacement in replacements if replacement.start < replacement.end or replacement.text
        ]
        if not replacements:
            return []
        new: list[bytes] = []
        for replacement in replacements:
            octets = self._written(replacement.text) if self._reading.charset.is_ascii_based else None
            if octets is None:
                return self._anew(replacements)
            new.append(octets)
        return self._in_place(self._splices(replacements, new))

    def _written(self, text: str) -> bytes | None:
        """Return new text in the part's charset, or None where only UTF-8 has its characters."""
        try:
            return encode(text, self._reading.writable)
        except UnicodeError:
            if self.is_html:
                return text.encode("ascii", "xmlcharrefreplace")
            return None if self._reading.is_exact else text.encode("ascii", "replace")

    def _splices(self, replacements: Sequence[Replacement], new: Sequence[bytes]) -> list[Edit]:
        """Return the replacements as edits over the bytes of the text."""
        positions = list(chain.from_iterable((span.start, span.end) for span in replacements))
        cuts = self._reading.charset.cuts(self._octets, positions)
        splices: list[Edit] = []
        for replacement, octets in zip(replacements, new, strict=True):
            start, end = next(cuts), next(cuts)
            switched = start.leave + octets + end.enter
            if self._is_unread(replacement.start - 1) and (switched or self._octets[end.after : end.after + 1]) > b"0":
                switched = b" " + switched  # the byte before may be the first half of a character
            splice = Edit(start.before, end.after, switched)
            if splices and splices[-1].end > splice.start:  # escapes between two characters belong to both
                splice = _joined(splices.pop(), splice)
            splices.append(splice)
        return splices

    def _is_unread(self, position: int) -> bool:
        """Whether the character at a position is a byte that stands for none."""
        return position >= 0 and not self._reading.is_exact and "\udc00" <= self.text[position] <= "\udcff"

    def _in_place(self, splices: Sequence[Edit]) -> list[Edit]:
        """Return the edits of the touched lines, or of the whole part where its transfer encoding cannot hold them."""
        encoding = self.entity.transfer_encoding
        lines = self._lines()
        if encoding in IDENTITIES:
            edits = self._plain(splices)
        elif lines:
            edits = self._encoded_lines(splices, lines)
        else:
            edits = None
        return self._encoded_anew(splices) if edits is None else _delimited(self._content, self.entity, edits)

    def _plain(self, splices: Sequence[Edit]) -> list[Edit] | None:
        encoding, start = self.entity.transfer_encoding, self.entity.body_start
        if encoding not in {"8bit", "binary"} and not all(splice.replacement.isascii() for splice in splices):
            return None
        if encoding != "binary" and _grows_too_long(self._octets, splices):
            return None
        return [
            _trimmed(self._content, Edit(start + change.start, start + change.end, change.replacement))
            for change in splices
        ]

    def _encoded_lines(self, splices: Sequence[Edit], lines: Sequence[_Line]) -> list[Edit]:
        """Return one edit a run of touched lines."""
        starts = [0, *accumulate(line.length for line in lines)]
        encode = encode_quoted_printable if self.entity.transfer_encoding == "quoted-printable" else encode_base64
        edits: list[Edit] = []
        for first, last, run in _runs(splices, starts):
            octets = _spliced(self._octets, starts[first], starts[last + 1], run)
            edit = Edit(lines[first].start, lines[last].end, encode(octets))
            edits.append(_trimmed(self._content, edit))
        return edits

    def _encoded_anew(self, splices: Sequence[Edit]) -> list[Edit]:
        """Return the edits that give the whole part another transfer encoding; its charset stays."""
        octets = _spliced(self._octets, 0, len(self._octets), splices)
        quoted, based = encode_quoted_printable(octets), encode_base64(octets)
        is_quoted = len(quoted) <= len(based) and decode(quoted, "quoted-printable") == octets
        encoding, body = ("quoted-printable", quoted) if is_quoted else ("base64", based)
        return self._whole(None, encoding, body)

    def _anew(self, replacements: Sequence[Replacement]) -> list[Edit]:
        """Return the edits that write the whole part anew, in UTF-8 or US-ASCII."""
        return self._whole(*encode_text(replaced(self.text, 0, len(self.text), replacements)))

    def _whole(self, charset: str | None, encoding: str, body: bytes) -> list[Edit]:
        body_edit = Edit(self.entity.body_start, self.entity.end, body)
        return [
            *declare(self._content, self.entity, charset, encoding),
            *_delimited(self._content, self.entity, [body_edit]),
        ]

    def _lines(self) -> tuple[_Line, ...]:
        """Return the lines that can be encoded one without another; a single line if they cannot be separated."""
        encoding, start, end = self.entity.transfer_encoding, self.entity.body_start, self.entity.end
        if encoding == "base64":
            return (_Line(start, end, len(self._octets)),)
        if encoding != "quoted-printable":
            return ()
        lines = [
            _Line(found.start(), found.end(), len(decode(found[0], encoding)))
            for found in _QP_LINE.finditer(self._content, start, end)
        ]
        is_sum = sum(line.length for line in lines) == len(self._octets)
        return tuple(lines) if lines and is_sum else (_Line(start, end, len(self._octets)),)


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of the encoded body: its span in the content, and how many bytes it stands for."""

    start: int
    end: int
    length: int


def read_text(content: bytes, entity: Entity) -> TextBody | None:
    """Return the text of a text part, or None where it must not or cannot be changed.

    That is: protected, no text, in an unknown transfer encoding, or in a charset that is written as a whole and cannot
    be read. Text whose charset is unknown or not declared is read by what its bytes show, else as Windows-1252; of such
    text only its ASCII is certain.
    """
    if entity.is_protected or entity.children or not entity.content_type.startswith("text/"):
        return None
    if entity.transfer_encoding not in _KNOWN_ENCODINGS:
        return None
    octets = decode(content[entity.body_start : entity.end], entity.transfer_encoding)
    found = _read(octets, entity)
    if found is None:
        return None
    reading, text = found
    newline = "\n" if "\n" in text and "\r\n" not in text else "\r\n"
    return TextBody(entity, text, newline, content, octets, reading)


def _read(octets: bytes, entity: Entity) -> tuple[_Reading, str] | None:
    label = entity.parameters.get("charset", "us-ascii")
    charset = find(label)
    if charset is None or is_ascii(label):
        return _read_unlabelled(octets, entity, label)
    try:
        return _Reading(charset, label, is_exact=True), charset.decode(octets)
    except UnicodeError:
        is_kept = charset.is_ascii_based
    return (_Reading(charset, label, is_exact=False), charset.keep(octets)) if is_kept else None


def _read_unlabelled(octets: bytes, entity: Entity, label: str) -> tuple[_Reading, str] | None:
    is_unreadable = is_charset(label) and not is_ascii(label)  # others may read it
    if is_unreadable and (_SHIFTS.search(octets) or "ebcdic" in label.lower()):
        return None
    claim = declared_charset(octets) if entity.content_type == "text/html" else None
    shown = None if is_unreadable else recognise(octets, claim)
    charset = find(shown) if shown else None
    if charset:
        return _Reading(charset, "us-ascii", shown == "utf-8"), charset.decode(octets)
    is_exact = octets.isascii() and not is_unreadable and not _SHIFTS.search(octets)
    return _Reading(BYTES, "us-ascii", is_exact), BYTES.decode(octets)


def replaced(text: str, start: int, end: int, replacements: Sequence[Replacement]) -> str:
    """Return text[start:end] as the replacements leave it; all of them are inside, in order."""
    pieces: list[str] = []
    for replacement in replacements:
        pieces += (text[start : replacement.start], replacement.text)
        start = replacement.end
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


def _spliced(octets: bytes, start: int, end: int, splices: Sequence[Edit]) -> bytes:
    """Return bytes[start:end] as the splices leave it; all of them are inside, in order."""
    pieces: list[bytes] = []
    for splice in splices:
        pieces += (octets[start : splice.start], splice.replacement)
        start = splice.end
    return b"".join([*pieces, octets[start:end]])


def _runs(splices: Sequence[Edit], starts: Sequence[int]) -> Iterator[tuple[int, int, Sequence[Edit]]]:
    """Yield first line, last line and the splices in them, for each run of lines that are touched."""
    lines = len(starts) - 1
    run: list[Edit] = []
    first = last = 0
    for splice in splices:
        from_line = min(bisect_right(starts, splice.start), lines) - 1
        if run and from_line > last:
            yield first, last, run
            run = []
        first = first if run else from_line
        last = min(bisect_right(starts, splice.end), lines) - 1
        run.append(splice)
    if run:
        yield first, last, run


def _grows_too_long(octets: bytes, splices: Sequence[Edit]) -> bool:
    """Whether a touched line is longer than a line may be, and than any was in its place before."""
    starts = [0, *(found.end() for found in _LINE_END.finditer(octets))]
    if starts[-1] == len(octets) and len(starts) > 1:
        starts.pop()
    for first, last, run in _runs(splices, [*starts, len(octets)]):
        start, end = starts[first], [*starts[last + 1 : last + 2], len(octets)][0]
        longest = _longest_line(_spliced(octets, start, end, run))
        if longest > _MAX_LINE and longest > _longest_line(octets[start:end]):
            return True
    return False


def _check(replacements: Sequence[Replacement], length: int) -> None:
    position = 0
    for replacement in replacements:
        if not position <= replacement.start <= replacement.end <= length:
            raise ValueError(
                f"{replacement.start}:{replacement.end} overlaps an earlier replacement or reaches outside the text"
            )
        position = replacement.end


def _trimmed(content: bytes, edit: Edit) -> Edit:
    """Leave out what the edit would replace by the same bytes, at its start and at its end."""
    old, new = content[edit.start : edit.end], edit.replacement
    head = _common(old, new)
    tail = _common(old[head:][::-1], new[head:][::-1])
    return Edit(edit.start + head, edit.end - tail, new[head : len(new) - tail])


def _common(one: bytes, other: bytes) -> int:
    """Return how many bytes two texts have in common at their start."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one[low:middle] == other[low:middle] else (low, middle - 1)
    return low


def _longest_line(octets: bytes) -> int:
    return max(len(line.rstrip(b"\r")) for line in octets.split(b"\n"))
