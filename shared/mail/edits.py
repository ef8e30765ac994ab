"""Edits: what the gateway changes in a message, as spans of the original and the bytes that replace them.

A sequence of edits is sorted by start and never overlaps. Two edits may touch (end == start of the next); insertions
(start == end) at the same position keep their order.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Edit:
    """Replace content[start:end] with `replacement`. Offsets are bytes into the text the edit was made for."""

    start: int
    end: int
    replacement: bytes


Edits = Sequence[Edit]


def apply(content: bytes, edits: Edits) -> bytes:
    """Return the content with every edit applied. Without edits it is the same object.

    Raises ValueError for edits that overlap, are out of order, or reach outside the content.
    """
    if not edits:
        return content
    return b"".join(pieces(content, edits))


def pieces(content: bytes, edits: Edits) -> Iterable[bytes | memoryview]:
    """Yield the edited content in pieces, without copying unchanged bytes. Raises as `apply`."""
    view, position = memoryview(content), 0
    for edit in edits:
        if not position <= edit.start <= edit.end <= len(content):
            raise ValueError(f"{edit.start}:{edit.end} overlaps an earlier edit or reaches outside the content")
        if position < edit.start:
            yield view[position : edit.start]
        if edit.replacement:
            yield edit.replacement
        position = edit.end
    if position < len(content):
        yield view[position:]


def merge(*groups: Edits) -> tuple[Edit, ...]:
    """Return the edits of all groups, made over one text, as one sequence.

    Insertions at the same position keep the order of their groups. Raises ValueError when two edits overlap.
    """
    merged = sorted((edit for group in groups for edit in group), key=lambda edit: (edit.start, edit.end))
    _check(merged)
    return tuple(merged)


def _check(edits: Edits) -> None:
    position = 0
    for edit in edits:
        if not position <= edit.start <= edit.end:
            raise ValueError(f"{edit.start}:{edit.end} overlaps an earlier edit")
        position = edit.end


def compose(first: Edits, second: Edits) -> tuple[Edit, ...]:
    """Return edits of the original equal to `first` followed by `second`, which applies to the result of `first`.

    apply(apply(content, first), second) == apply(content, compose(first, second)). No two of the edits touch. Uses
    time linear in the number of edits and the length of their replacements. Raises ValueError where either overlaps or
    is out of order.
    """
    _check(first)
    _check(second)
    composition = _Composition(first)
    for edit in second:
        composition.read(edit.start, keep=True)
        composition.read(edit.end, keep=False)
        composition.insert(edit.replacement)
    return composition.finish()


class _Composition:
    """Reads the intermediate text (`first` applied to an original of unknown length) and writes edits of the original.

    All bytes dropped or inserted since bytes of the original were last kept become one edit from `_start` on.
    """

    def __init__(self, first: Edits) -> None:
        self._first = first
        self._index = 0  # of the edit of `first` that is read next, or is being read
        self._read: int | None = None  # bytes read of its replacement, once it is being read
        self._position = 0  # in the intermediate text
        self._original = 0  # in the original
        self._start = 0
        self._inserted: list[bytes] = []
        self._edits: list[Edit] = []

    def insert(self, octets: bytes) -> None:
        self._inserted.append(octets)

    def read(self, end: int | None, *, keep: bool) -> None:
        """Read the intermediate text up to `end` (None: past the last edit), and keep or drop it."""
        while self._index < len(self._first) if end is None else self._position < end:
            edit = self._first[self._index] if self._index < len(self._first) else None
            left = sys.maxsize if end is None else end - self._position
            if edit and self._read is not None:
                self._read_replacement(edit, self._read, left, keep)
            elif edit and edit.start == self._original:
                self._read, self._original = 0, edit.end
            else:
                self._read_original(min(left, edit.start - self._original) if edit else left, keep)

    def finish(self) -> tuple[Edit, ...]:
        self.read(None, keep=True)
        self._write()
        return tuple(self._edits)

    def _read_replacement(self, edit: Edit, start: int, left: int, keep: bool) -> None:
        octets = edit.replacement[start : start + left]
        if keep:
            self.insert(octets)
        self._position += len(octets)
        self._read = start + len(octets)
        if self._read == len(edit.replacement):
            self._index, self._read = self._index + 1, None

    def _read_original(self, length: int, keep: bool) -> None:
        if keep:
            self._write()
            self._start = self._original + length
        self._original += length
        self._position += length

    def _write(self) -> None:
        replacement = b"".join(self._inserted)
        if self._start < self._original or replacement:
            self._edits.append(Edit(self._start, self._original, replacement))
        self._start, self._inserted = self._original, []


_FORMAT = 1


def encode(edits: Edits) -> bytes:
    """Return the edits in a compact form for storage; `decode` restores equal ones.

    One byte of format number, then for each edit three LEB128 numbers (bytes since the end of the edit before, bytes
    replaced, bytes of replacement) and the replacement. Raises ValueError when edits overlap or are out of order.
    """
    _check(edits)
    encoded, position = bytearray((_FORMAT,)), 0
    for edit in edits:
        for number in (edit.start - position, edit.end - edit.start, len(edit.replacement)):
            rest = number
            while rest > 0x7F:
                encoded.append(rest & 0x7F | 0x80)
                rest >>= 7
            encoded.append(rest)
        encoded += edit.replacement
        position = edit.end
    return bytes(encoded)


def decode(encoded: bytes) -> tuple[Edit, ...]:
    """Return the edits that `encode` wrote. Raises ValueError for anything else."""
    if encoded[:1] != bytes((_FORMAT,)):
        raise ValueError(f"not edits of format {_FORMAT}")
    edits: list[Edit] = []
    at, position = 1, 0
    try:
        while at < len(encoded):
            numbers = [0, 0, 0]
            for which in range(3):
                shift = 0
                while (octet := encoded[at]) > 0x7F:
                    numbers[which] |= (octet & 0x7F) << shift
                    at, shift = at + 1, shift + 7
                numbers[which] |= octet << shift
                at += 1
            gap, replaced, length = numbers
            replacement = encoded[at : at + length]
            if len(replacement) < length:
                raise IndexError
            edits.append(Edit(position + gap, position + gap + replaced, replacement))
            at, position = at + length, edits[-1].end
    except IndexError:
        raise ValueError("the encoded edits are truncated") from None
    return tuple(edits)
