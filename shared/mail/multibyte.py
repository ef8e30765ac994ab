"""East Asian charsets without state: one, two, three or four bytes per character, ASCII unchanged.

Python's codecs, and the characters that they lack or map in another way than WHATWG Encoding (section 5, the indexes):
the rows of NEC and IBM in EUC-JP, HKSCS-2008 in Big5, the euro sign and the forms of GB 18030-2022.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

KEEP = "causeway.keep"  # an undecodable byte n as U+DC00 + n, for all bytes; surrogateescape has only those above 127

_ASCII = rb"[\x00-\x7f]++"
_BIG5_MISSING = {
    0x877A: (
        "㡵𡵓𣚞𦀡㻬𥣞㫵竼龗𤅡𨤍𣇪𠪊𣉞䌊蒄龖鐯䤰蘓墖靊鈘秐稲晠権袝瑌篅枂稬剏遆㓦"
        "珄𥶹瓆鿇垳䤯呌䄱𣚎堘穲𧭥讏䚮𦺈䆁𥶙箮𢒼鿈𢓁𢓉𢓌鿉蔄𣖻䂴鿊䓡𪷿拁灮鿋"
    ),
    0x92AF: "兙兛兝兞",
    0x9CBC: "尐秣",
    0x8FCB: "覦覩",
    0xA3C0: "".join(map(chr, range(0x2400, 0x2420))) + "␡€",
    0xC6DE: "〃仝",
    0xFDB7: "沜渝",
}
# One character each: HKSCS-2001 moved them to their Big5 positions.
_BIG5_MOVED = (
    "8e69箸 8e6f簆 8e7e糎 8eab緒 8eb4縝 8ecd者 8ed0耨 8f57菁 8f69蒨 8f6e萏 8ffe起 906d都 907a銹 90dc靜 "
    "90f1響 91bf鼖 9244蔃 92c8鍮 92d1瑹 9447浧 94ca禛 95d9邗 9644靝 96ed瀞 96fc嬨 9b76爁 9b78矗 9b7b纇 "
    "9bc6駖 9bde釔 9bec惞 9bf6澶 9c42輶 9c53侻 9c62營 9c68鄄 9c6b鷰 9c77菏 9cd0婧 9d57輋 9d5a筑 9dc4拐 "
    "9ea9恢 9eef痹 9efd汊 9f60鬮 9f66鼗 9fcb僭 9fd8弌 a063蠏 a077拎 a0d5瑨 a0df煢 a0e4牐 c6cf廴 c6d3无 "
    "c6d5癶 c6d7隶 fa5f倩 fa66偽 fabd包 fac5卄 fad5卿 fb48嘅 fbb8婷 fbf3幵 fbf9廐 fc4f彘 fc6c悤 fcb9撐 "
    "fce2晴 fcf1杞 fdbb港 fdf1煮 fe52猪 fe6f瑜 feaa瓩 fedd砉"
)
_BIG5_DIFFERING = "a145‧ a14e﹑ a1c2¯ a1e3～ a1f2⊕ a1f3⊙ a241∕ a242﹨ a244￥ a246￠ a247￡"
_GB_DIFFERING = (
    "a3a0\u3000 a6d9︐ a6da︒ a6db︑ a6dc︓ a6dd︔ a6de︕ a6df︖ a6ec︗ a6ed︘ a6f3︙ a8bcḿ fe59龴 fe61龵 "
    "fe66龶 fe67龷 fe6d龸 fe7e龹 fe90龺 fea0龻"
)
_EUC_DIFFERING = "a1c1～ a1c2∥ a1dd－ a1f1￠ a1f2￡ a2cc￢ 8fa2b7～"


def _keep(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "".join(chr(0xDC00 + octet) for octet in error.object[error.start : error.end]), error.end


codecs.register_error(KEEP, _keep)


@dataclass(frozen=True)
class Multibyte:
    """A charset based on one of Python's codecs.

    character: a pattern of one character that is not ASCII. missing: what the codec lacks. differing: what is mapped in
    another way.
    """

    base: str
    character: bytes
    missing: Mapping[bytes, str] = field(default_factory=dict)
    differing: Mapping[bytes, str] = field(default_factory=dict)

    def decode(self, octets: bytes) -> str:
        """Return the bytes as text. Raises UnicodeDecodeError."""
        if any(other in octets for other in self.differing):
            return "".join(self._exact(run[0]) for run in self._runs.finditer(octets))
        return octets.decode(self.base, self._handler)

    def keep(self, octets: bytes) -> str:
        """Return the bytes as text, undecodable ones as U+DC00 and more."""
        return "".join(self._kept(run[0]) for run in self._runs.finditer(octets))

    def offsets(self, octets: bytes, positions: Sequence[int]) -> Iterator[int]:
        """Yield for each position in `keep(bytes)`, in order, the offset of its first byte."""
        runs = self._runs.finditer(octets)
        at = start = end = 0  # characters before the run, its span
        text = ""
        for position in positions:
            while position > at + len(text) and (run := next(runs, None)):
                at += len(text)
                (start, end), text = run.span(), self._kept(run[0])
            yield self._inside(octets, start, end, position - at, len(text))

    def _inside(self, octets: bytes, start: int, end: int, index: int, length: int) -> int:
        """Return the offset of a character of a run; for the second of two that share bytes, the end of the bytes."""
        if index >= length:
            return end
        if octets[start] < 0x80:
            return start + index
        for character in self._character.finditer(octets, start, end):
            if index <= 0:
                return character.start()
            index -= len(self._kept(character[0]))
        return end

    def _exact(self, run: bytes) -> str:
        if run in self.differing or not any(other in run for other in self.differing):
            return self.differing.get(run) or run.decode(self.base, self._handler)
        return "".join(
            self.differing.get(match[0]) or match[0].decode(self.base, self._handler)
            for match in self._character.finditer(run)
        )

    def _kept(self, run: bytes) -> str:
        try:
            return self._exact(run)
        except UnicodeDecodeError:
            return "".join(map(self._kept_character, self._character.findall(run)))

    def _kept_character(self, octets: bytes) -> str:
        try:
            return self._exact(octets)
        except UnicodeDecodeError:
            return "".join(chr(0xDC00 + octet) for octet in octets)

    @cached_property
    def _character(self) -> re.Pattern[bytes]:
        return re.compile(self.character + rb"|[\x00-\xff]")

    @cached_property
    def _runs(self) -> re.Pattern[bytes]:
        return re.compile(_ASCII + rb"|(?:" + self.character + rb"){1,64}+|[\x80-\xff]")

    @cached_property
    def _handler(self) -> str:
        name = f"causeway.{self.base}"
        codecs.register_error(name, _supplied(self.missing))
        return name


def _supplied(missing: Mapping[bytes, str]) -> Callable[[UnicodeError], tuple[str, int]]:
    def supply(error: UnicodeError) -> tuple[str, int]:
        if not isinstance(error, UnicodeDecodeError):
            raise error
        for length in (2, 1):
            octets = error.object[error.start : error.start + length]
            if octets in missing:
                return missing[octets], error.start + len(octets)
        raise error

    return supply


def _listed(entries: str) -> dict[bytes, str]:
    return {bytes.fromhex(entry[:-1]): entry[-1] for entry in entries.split(" ")}


def _big5_missing() -> dict[bytes, str]:
    """Return the runs of `_BIG5_MISSING`, in which trail bytes go from 40 to 7E and from A1 to FE."""
    trails = [*range(0x40, 0x7F), *range(0xA1, 0xFF)]
    missing = _listed(_BIG5_MOVED)
    for start, characters in _BIG5_MISSING.items():
        place = (start >> 8) * len(trails) + trails.index(start & 0xFF)
        for number, character in enumerate(characters, place):
            missing[bytes((number // len(trails), trails[number % len(trails)]))] = character
    return missing


def sjis_of(row: int, cell: int) -> bytes:
    """Return the bytes of a cell of JIS X 0208 in Shift_JIS; rows and cells are 1 to 94."""
    lead = (row - 1) // 2 + (0x81 if row <= 62 else 0xC1)
    trail = cell + (0x9E if row % 2 == 0 else 0x3F if cell <= 63 else 0x40)
    return bytes((lead, trail))


def _vendor_rows() -> dict[bytes, str]:
    """Return row 13 of NEC and rows 89 to 92 of IBM's kanji as EUC-JP has them; Windows-31J holds both."""
    rows: dict[bytes, str] = {}
    for row in (13, 89, 90, 91, 92):
        for cell in range(1, 95):
            try:
                rows[bytes((row + 0xA0, cell + 0xA0))] = sjis_of(row, cell).decode("cp932")
            except UnicodeDecodeError:
                continue  # the last cells are empty
    return rows


_HIGH = rb"[\xa1-\xfe]"
_GB18030 = rb"[\x81-\xfe](?:[\x40-\x7e\x80-\xfe]|[0-9][\x81-\xfe][0-9])"

CODINGS = {
    "big5": Multibyte("big5hkscs", rb"[\x81-\xfe][\x40-\x7e\xa1-\xfe]", _big5_missing(), _listed(_BIG5_DIFFERING)),
    "cp932": Multibyte("cp932", rb"[\x81-\x9f\xe0-\xfc][\x40-\x7e\x80-\xfc]"),
    "cp949": Multibyte("cp949", rb"[\x81-\xfe][A-Za-z\x81-\xfe]"),
    "euc_jp": Multibyte(
        "euc_jp", rb"\x8f" + _HIGH + _HIGH + rb"|[\x8e\xa1-\xfe]" + _HIGH, _vendor_rows(), _listed(_EUC_DIFFERING)
    ),
    "gb18030": Multibyte("gb18030", _GB18030, {b"\x80": "€"}, _listed(_GB_DIFFERING)),
    "johab": Multibyte("johab", rb"[\x84-\xf9][\x31-\x7e\x81-\xfe]"),
    "shift_jisx0213": Multibyte("shift_jisx0213", rb"[\x81-\x9f\xe0-\xfc][\x40-\x7e\x80-\xfc]"),
    "shift_jis_2004": Multibyte("shift_jis_2004", rb"[\x81-\x9f\xe0-\xfc][\x40-\x7e\x80-\xfc]"),
    "euc_jisx0213": Multibyte("euc_jisx0213", rb"\x8f" + _HIGH + _HIGH + rb"|[\x8e\xa1-\xfe]" + _HIGH),
    "euc_jis_2004": Multibyte("euc_jis_2004", rb"\x8f" + _HIGH + _HIGH + rb"|[\x8e\xa1-\xfe]" + _HIGH),
}
