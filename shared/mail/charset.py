"""Character sets of mail: exact decoding, and the bytes of each decoded character.

Python's codecs are the base. Added are characters that they lack: the vendor characters of ISO-2022-JP, EUC-JP and
Big5, and the controls that WHATWG Encoding puts into the gaps of the Windows code pages. A charset decodes all bytes or
fails; `show` never fails, for text that is only displayed.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple, Protocol

from shared.mail import charset_names, multibyte
from shared.mail.iso2022jp import Iso2022Jp

_GAP = "\ufffe"  # the mark for a byte without a character in `codecs.charmap_decode`
_C1 = range(0x80, 0xA0)
_SINGLE = {"cp1255": {0xCA: "\u05ba"}, "koi8_ru": {0xAE: "\u045e", 0xBE: "\u040e"}}
_UNREAD = re.compile("[\udc00-\udcff]")
_STATEFUL = frozenset({"hz", "iso2022_kr", "utf_7", "utf_8_sig"})


class Cut(NamedTuple):
    """A position between two characters. Bytes from `before` to `after` belong to neither: they switch the state.

    leave: bytes that switch from the state before the position to ASCII. enter: bytes that switch from ASCII to the
    state after it. switch: bytes that switch directly from the former to the latter.
    """

    before: int
    after: int
    leave: bytes = b""
    enter: bytes = b""


class Charset(Protocol):
    """A decoder and encoder of text."""

    @property
    def is_ascii_based(self) -> bool:
        """Whether each byte below 128 that is not part of a longer character or an escape is ASCII."""
        ...

    def decode(self, octets: bytes) -> str:
        """Return the bytes as text. Raises UnicodeError for a byte that is no character."""
        ...

    def keep(self, octets: bytes) -> str:
        """Return the bytes as text, in which U+DC00 + n is a byte n that could not be decoded."""
        ...

    def cuts(self, octets: bytes, positions: Sequence[int], /) -> Iterator[Cut]:
        """Yield the cut at each position of `keep(bytes)`; the positions are sorted. Linear in the bytes."""
        ...


@dataclass(frozen=True, slots=True)
class _SingleByte:
    table: str  # 256 characters
    codec: str

    @property
    def is_ascii_based(self) -> bool:
        return self.table[:128] == bytes(range(128)).decode("ascii")

    def decode(self, octets: bytes) -> str:
        return codecs.charmap_decode(octets, "strict", self.table)[0]

    def keep(self, octets: bytes) -> str:
        return codecs.charmap_decode(octets, multibyte.KEEP, self.table)[0]

    def cuts(self, _octets: bytes, positions: Sequence[int], /) -> Iterator[Cut]:
        return (Cut(position, position) for position in positions)


@dataclass(frozen=True, slots=True)
class _Utf8:
    is_ascii_based: bool = True

    def decode(self, octets: bytes) -> str:
        return octets.decode()

    def keep(self, octets: bytes) -> str:
        return octets.decode("utf-8", "surrogateescape")

    def cuts(self, octets: bytes, positions: Sequence[int], /) -> Iterator[Cut]:
        text, at, done = self.keep(octets), 0, 0
        for position in positions:
            at += len(text[done:position].encode("utf-8", "surrogateescape"))
            done = position
            yield Cut(at, at)


@dataclass(frozen=True, slots=True)
class _Multibyte:
    coding: multibyte.Multibyte
    is_ascii_based: bool = True

    def decode(self, octets: bytes) -> str:
        return self.coding.decode(octets)

    def keep(self, octets: bytes) -> str:
        return self.coding.keep(octets)

    def cuts(self, octets: bytes, positions: Sequence[int], /) -> Iterator[Cut]:
        return (Cut(at, at) for at in self.coding.offsets(octets, positions))


@dataclass(frozen=True, slots=True)
class _Japanese:
    is_ascii_based: bool = True

    def decode(self, octets: bytes) -> str:
        text = Iso2022Jp(octets).text()
        if _UNREAD.search(text):
            raise UnicodeDecodeError("iso2022_jp", octets[:64], 0, 1, "no such character")
        return text

    def keep(self, octets: bytes) -> str:
        return Iso2022Jp(octets).text()

    def cuts(self, octets: bytes, positions: Sequence[int], /) -> Iterator[Cut]:
        return (Cut(*cut) for cut in Iso2022Jp(octets).cuts(positions))


@dataclass(frozen=True, slots=True)
class _Whole:
    """A codec whose text can only be written as a whole: UTF-7, UTF-16, HZ and similar."""

    codec: str
    is_ascii_based: bool = False

    def decode(self, octets: bytes) -> str:
        return octets.decode(self.codec)

    def keep(self, octets: bytes) -> str:
        return octets.decode(self.codec)

    def cuts(self, _octets: bytes, _positions: Sequence[int], /) -> Iterator[Cut]:
        raise NotImplementedError(f"{self.codec} is written as a whole")


def find(label: str) -> Charset | None:
    """Return the charset of a label, or None for an unknown label. See `charset_names`."""
    codec = charset_names.codec(label)
    return None if codec is None else _charset(codec)


def find_code_page(number: int) -> Charset | None:
    """Return the charset of a Windows code page, or None for an unknown code page."""
    codec = charset_names.code_page(number)
    return None if codec is None else _charset(codec)


@cache
def _charset(codec: str) -> Charset:
    if codec == "utf_8":
        return _Utf8()
    if codec in multibyte.CODINGS:
        return _Multibyte(multibyte.CODINGS[codec])
    if codec == "iso2022_jp":
        return _Japanese()
    return _single_byte(codec) or _Whole(codec)


def _single_byte(codec: str) -> _SingleByte | None:
    if codec == "x_user_defined":
        return _SingleByte(bytes(range(128)).decode("ascii") + "".join(map(chr, range(0xF780, 0xF800))), codec)
    if codec in _STATEFUL:
        return None
    base = {"ascii": "cp1252", "latin_1": "cp1252", "koi8_ru": "koi8_u"}.get(codec, codec)
    table = []
    for octet in range(256):
        try:
            character = bytes((octet,)).decode(base)
        except UnicodeError:
            character = chr(octet) if octet in _C1 and base.startswith(("cp125", "cp874")) else _GAP
        if len(character) != 1:
            return None
        table.append(_SINGLE.get(codec, {}).get(octet, character))
    return _SingleByte("".join(table), codec) if table.count(_GAP) < 128 else None


def decode(octets: bytes, label: str) -> str | None:
    """Return the bytes as text; None if the charset is unknown or a byte is not valid in it."""
    charset = find(label)
    try:
        return charset.decode(octets) if charset else None
    except UnicodeError:
        return None


def encode(text: str, label: str) -> bytes:
    """Return new text as bytes of a charset, by the narrowest interpretation of its label.

    Raises UnicodeError if the charset is unknown or lacks a character, or if receivers would decode other characters.
    """
    octets = text.encode(charset_names.narrow(label) or "ascii")
    if decode(octets, label) != text:
        raise UnicodeError(f"{label} is read as other characters")
    return octets


def is_ascii(label: str) -> bool:
    """Whether the label is US-ASCII by one of its names."""
    return charset_names.codec(label) == "ascii"


def is_latin_1(label: str) -> bool:
    """Whether the label is ISO-8859-1 by one of its names."""
    return charset_names.codec(label) == "latin_1"


def guess(octets: bytes) -> str:
    """Return text for display whose charset is not declared: UTF-8 where valid, else Windows-1252. Never fails."""
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return BYTES.decode(octets)


def show(octets: bytes, charset: Charset | None) -> str:
    """Return text for display. Never fails: bytes that cannot be decoded are shown as Windows-1252."""
    if charset is None:
        return guess(octets)
    try:
        return charset.decode(octets)
    except UnicodeError:
        pass
    try:
        kept = charset.keep(octets)
    except UnicodeError:
        return guess(octets)
    return kept.translate(_SHOWN)


BYTES = _charset("cp1252")  # one character per byte, whatever its meaning
_SHOWN = {0xDC00 + octet: BYTES.decode(bytes((octet,))) for octet in range(256)}
