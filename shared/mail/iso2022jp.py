"""ISO-2022-JP as senders write it: RFC 1468 and 1554, Windows' CP50220 to 50222, and JIS X 0213.

JIS X 0208 has the rows of NEC and IBM; half-width katakana come after `ESC ( I`, between SO and SI, or as single bytes
above 127. The state lasts over line ends, as in browsers and in Outlook (WHATWG Encoding, section 12.2).

Quirk: `ESC ( H`, Swedish by its registration, for JIS X 0201 in mail of old programs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from shared.mail import multibyte

_SHIFT_OUT, _SHIFT_IN = b"\x0e", b"\x0f"
_TO_ASCII = b"\x1b(B"
_SWITCH = re.compile(rb"\x1b(?:\$[@AB]|\$\([@ABCDOPQ]|\([BHIJ]|&@)|[\x0e\x0f]")
_SPAN = re.compile(rb"(?:[^\x0e\x0f\x1b]++|\x1b(?!\$[@AB]|\$\([@ABCDOPQ]|\([BHIJ]|&@))++|[\x0e\x0f\x1b]")
_PAIRS = re.compile(rb"(?:[!-~]{2}){1,4096}+|[\x00-\x0d\x10-\x1a\x1c- \x7f]++|[\x80-\xff\x0e\x0f\x1b]++|[!-~]")
_SINGLES = re.compile(rb"[\x00-\x0d\x10-\x1a\x1c-\x7f]++|[\xa1-\xdf]++|[\x80-\xa0\xe0-\xff\x0e\x0f\x1b]++")
_KATAKANA = re.compile(rb"[!-_]++|[\x00-\x0d\x10-\x1a\x1c- \x7f]++|[\x60-\x7e\x80-\xff\x0e\x0f\x1b]++")
_TO_HIGH = bytes(octet | 0x80 if 0x21 <= octet <= 0x7E else octet for octet in range(256))
_PAIR = re.compile(rb"..", re.DOTALL)
_UNREADABLE = b"\x0e\x0f\x1b"
_ROMAN = str.maketrans({"\\": "¥", "~": "‾"})

Read = Callable[[bytes], str]


@dataclass(frozen=True, slots=True)
class _Set:
    """The character set of a state. width: bytes per character. read: decodes a piece; raises UnicodeDecodeError."""

    width: int
    pieces: re.Pattern[bytes]
    read: Read


def _of_codec(codec: str, prefix: bytes = b"") -> Read:
    def read(octets: bytes) -> str:
        high = octets.translate(_TO_HIGH)
        return (_PAIR.sub(lambda pair: prefix + pair[0], high) if prefix else high).decode(codec)

    return read


def _katakana(octets: bytes) -> str:
    return "".join(chr(0xFF40 + octet) for octet in octets)


def _singles(octets: bytes) -> str:
    return octets.decode("ascii") if octets[0] < 0x80 else _katakana(octets.translate(_TO_LOW))


def _roman(octets: bytes) -> str:
    return _singles(octets).translate(_ROMAN)


def _shifted(octets: bytes) -> str:
    return _katakana(octets) if 0x21 <= octets[0] <= 0x5F else octets.decode("ascii")


_TO_LOW = bytes(octet & 0x7F for octet in range(256))
_ASCII = _Set(1, _SINGLES, _singles)
_KANA = _Set(1, _KATAKANA, _shifted)


def _euc(prefix: bytes = b"") -> Read:
    def read(octets: bytes) -> str:
        high = octets.translate(_TO_HIGH)
        return multibyte.CODINGS["euc_jp"].decode(_PAIR.sub(lambda pair: prefix + pair[0], high) if prefix else high)

    return read


@cache
def _sets() -> dict[bytes, _Set]:
    jis, roman = _Set(2, _PAIRS, _euc()), _Set(1, _SINGLES, _roman)
    return {
        _TO_ASCII: _ASCII,
        b"\x1b(H": roman,
        b"\x1b(J": roman,
        b"\x1b(I": _KANA,
        b"\x1b$@": jis,
        b"\x1b$B": jis,
        b"\x1b$(@": jis,
        b"\x1b$(B": jis,
        b"\x1b$(D": _Set(2, _PAIRS, _euc(b"\x8f")),
        b"\x1b$A": _Set(2, _PAIRS, _of_codec("gb2312")),
        b"\x1b$(A": _Set(2, _PAIRS, _of_codec("gb2312")),
        b"\x1b$(C": _Set(2, _PAIRS, _of_codec("euc_kr")),
        b"\x1b$(O": _Set(2, _PAIRS, _of_codec("euc_jisx0213")),
        b"\x1b$(Q": _Set(2, _PAIRS, _of_codec("euc_jis_2004")),
        b"\x1b$(P": _Set(2, _PAIRS, _of_codec("euc_jis_2004", b"\x8f")),
    }


class _Piece(NamedTuple):
    """Bytes of one kind in one state: `text` is their decoded text, `width` bytes per character."""

    start: int
    end: int
    text: str
    width: int
    enter: bytes  # what leads from ASCII into the state
    leave: bytes  # and back


@dataclass(frozen=True, slots=True)
class Iso2022Jp:
    """Text in ISO-2022-JP. A byte n that cannot be decoded is U+DC00 + n in it."""

    octets: bytes

    def text(self) -> str:
        """Return the text; an escape has none."""
        return "".join(piece.text for piece in self._pieces())

    def cuts(self, positions: Sequence[int]) -> Iterator[tuple[int, int, bytes, bytes]]:
        """Yield for each position of the text, in order, the fields of a `charset.Cut`."""
        pieces = self._pieces()
        at = 0  # characters before the piece
        last: _Piece | None = None
        piece = next(pieces, None)
        for position in positions:
            while piece and position > at + len(piece.text):
                at += len(piece.text)
                last, piece = piece, next(pieces, None)
            if piece and position == at + len(piece.text):
                at += len(piece.text)
                last, piece = piece, next(pieces, None)
            if piece and position > at:
                offset = piece.start + (position - at) * piece.width
                yield offset, offset, piece.leave, piece.enter
            else:
                before, leave = (last.end, last.leave) if last else (0, b"")
                after, enter = (piece.start, piece.enter) if piece else (len(self.octets), b"")
                yield before, after, leave, enter

    def _pieces(self) -> Iterator[_Piece]:
        octets, sets = self.octets, _sets()
        state, is_shifted, position = _TO_ASCII, False, 0
        while position < len(octets):
            if switch := _SWITCH.match(octets, position):
                known = switch[0] in sets or switch[0] == b"\x1b&@"
                if switch[0] in (_SHIFT_OUT, _SHIFT_IN):
                    known = sets[state].width == 1
                    is_shifted = switch[0] == _SHIFT_OUT if known else is_shifted
                elif switch[0] in sets:
                    state, is_shifted = switch[0], False
                if known:
                    position = switch.end()
                    continue
            span = _SPAN.match(octets, position)
            end = span.end() if span else position + 1
            enter = (b"" if state == _TO_ASCII else state) + (_SHIFT_OUT if is_shifted else b"")
            leave = (_SHIFT_IN if is_shifted else b"") + (b"" if state == _TO_ASCII else _TO_ASCII)
            one = _KANA if is_shifted else sets[state]
            for found in one.pieces.finditer(octets, position, end):
                yield from _read(one, found, enter, leave)
            position = end


def _read(one: _Set, found: re.Match[bytes], enter: bytes, leave: bytes) -> Iterator[_Piece]:
    """Yield the piece, or its characters singly if some of them cannot be decoded."""
    start, end = found.span()
    octets = found[0]
    first = octets[0]
    if first in _UNREADABLE or (one.width == 2 and first >= 0x80):
        yield _Piece(start, end, _unread(octets), 1, enter, leave)
        return
    if first < 0x20 or (one.width == 2 and first in b" \x7f"):
        yield _Piece(start, end, octets.decode("ascii"), 1, enter, leave)
        return
    try:
        text = one.read(octets) if len(octets) >= one.width else ""
    except UnicodeDecodeError:
        text = ""
    if len(text) * one.width == len(octets):
        yield _Piece(start, end, text, one.width, enter, leave)
    elif len(octets) <= one.width or one.width == 1:
        yield _Piece(start, end, _unread(octets), 1, enter, leave)
    else:
        for at in range(start, end, one.width):
            for single in one.pieces.finditer(found.string, at, at + one.width):
                yield from _read(one, single, enter, leave)


def _unread(octets: bytes) -> str:
    return "".join([chr(0xDC00 + octet) for octet in octets])
