"""MAPI properties as TNEF encodes them (MS-OXTNEF section 2.1.3.4; types: MS-OXCDATA section 2.11.1).

A property is found by its id, and a named one (id 0x8000 and above, which differs from stream to stream) by its
property set and name: `(PSETID_APPOINTMENT, 0x820D)`. Never by the bare number of the name: it means something else in
another set.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from uuid import UUID

from services.transform.tnef import codepage as codepages
from services.transform.tnef.cursor import Cursor, CutShort

PSETID_APPOINTMENT = UUID("00062002-0000-0000-c000-000000000046")
PSETID_TASK = UUID("00062003-0000-0000-c000-000000000046")
PSETID_ADDRESS = UUID("00062004-0000-0000-c000-000000000046")
PSETID_COMMON = UUID("00062008-0000-0000-c000-000000000046")
PSETID_MEETING = UUID("6ed8da90-450b-101b-98da-00aa003f1305")
PS_PUBLIC_STRINGS = UUID("00020329-0000-0000-c000-000000000046")

Key = int | tuple[UUID, int | str]
Value = int | float | bool | str | bytes | datetime | UUID | None

EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
_LAST_TICK = 7_000 * 365 * 86_400 * 10_000_000  # about the year 8600: room for all arithmetic with zones and spans

_MULTIPLE = 0x1000
_SHORT, _LONG, _FLOAT, _DOUBLE, _CURRENCY, _APPTIME, _ERROR, _BOOLEAN = 0x2, 0x3, 0x4, 0x5, 0x6, 0x7, 0xA, 0xB
_OBJECT, _LONGLONG, _STRING8, _UNICODE, _SYSTIME, _CLSID, _BINARY = 0xD, 0x14, 0x1E, 0x1F, 0x40, 0x48, 0x102
_VARIABLE = frozenset((_OBJECT, _STRING8, _UNICODE, _BINARY))


@dataclass(frozen=True, slots=True)
class Properties:
    """The properties of a message, an attachment or a recipient, asked for by the type that is wanted.

    A property of another type counts as absent. Of two with one key the first counts. damage: what could not be read.
    """

    values: Mapping[Key, tuple[Value, ...]] = field(default_factory=lambda: MappingProxyType({}))
    damage: tuple[str, ...] = ()

    def __contains__(self, key: Key) -> bool:
        return key in self.values

    def text(self, *keys: Key) -> str:
        """Return the first of the properties that is text and not blank, else an empty string."""
        return next((value for key in keys if isinstance(value := self._one(key), str) and value.strip()), "")

    def texts(self, key: Key) -> tuple[str, ...]:
        """Return all values of a property that are text."""
        return tuple(value for value in self.values.get(key, ()) if isinstance(value, str))

    def octets(self, key: Key) -> bytes | None:
        """Return a binary property."""
        value = self._one(key)
        return value if isinstance(value, bytes) else None

    def runs(self, key: Key) -> tuple[bytes, ...]:
        """Return all values of a property that are binary."""
        return tuple(value for value in self.values.get(key, ()) if isinstance(value, bytes))

    def number(self, key: Key) -> int | None:
        """Return a whole number."""
        value = self._one(key)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def fraction(self, key: Key) -> float | None:
        """Return a real number."""
        value = self._one(key)
        return value if isinstance(value, float) else None

    def flag(self, key: Key) -> bool:
        """Whether a property is there and true."""
        return self._one(key) is True

    def moment(self, *keys: Key) -> datetime | None:
        """Return the first of the properties that is a time, in UTC."""
        return next((value for key in keys if isinstance(value := self._one(key), datetime)), None)

    def _one(self, key: Key) -> Value:
        return next(iter(self.values.get(key, ())), None)


def read_properties(cursor: Cursor, codepage: int) -> Properties:
    """Return the properties of a counted list; those before any damage. codepage: of eight-bit strings."""
    values: dict[Key, tuple[Value, ...]] = {}
    damage: tuple[str, ...] = ()
    try:
        for _ in range(cursor.u32()):
            key, value = _read_property(cursor, codepage)
            values.setdefault(key, value)
    except CutShort as error:
        damage = (f"properties cut short after {len(values)}: {error}",)
    return Properties(MappingProxyType(values), damage)


def read_table(octets: bytes, codepage: int) -> tuple[tuple[Properties, ...], tuple[str, ...]]:
    """Return the rows of a table of recipients, and its damage."""
    cursor = Cursor(octets)
    rows: list[Properties] = []
    try:
        for _ in range(cursor.u32()):
            rows.append(read_properties(cursor, codepage))
            if rows[-1].damage:
                return tuple(rows), rows[-1].damage
    except CutShort as error:
        return tuple(rows), (f"recipients cut short after {len(rows)}: {error}",)
    return tuple(rows), ()


def filetime(ticks: int) -> datetime | None:
    """Return a time given in units of 100 ns since 1601, in UTC; None if it is out of range."""
    return EPOCH + timedelta(microseconds=ticks // 10) if 0 <= ticks < _LAST_TICK else None


def _read_property(cursor: Cursor, codepage: int) -> tuple[Key, tuple[Value, ...]]:
    type, id = cursor.u16(), cursor.u16()
    key: Key = id
    if id >= 0x8000:
        guid = cursor.guid()
        if cursor.u32():
            name = cursor.take(length := cursor.u32())
            cursor.take(-length % 4)
            key = (guid, name.decode("utf-16-le", "replace").rstrip("\0"))
        else:
            key = (guid, cursor.u32())
    single = type & ~_MULTIPLE
    count = cursor.u32() if type & _MULTIPLE or single in _VARIABLE else 1
    return key, tuple(_read_value(cursor, single, codepage) for _ in range(count))


def _read_value(cursor: Cursor, type: int, codepage: int) -> Value:
    if type in _VARIABLE:
        octets = cursor.take(length := cursor.u32())
        cursor.take(min(-length % 4, cursor.left))
        if type == _UNICODE:
            return octets.decode("utf-16-le", "replace").partition("\0")[0]
        if type == _STRING8:
            return codepages.decode(octets.partition(b"\0")[0], codepage)
        return octets
    if type in (_SHORT, _BOOLEAN):  # two bytes, filled up to four
        number = int.from_bytes(cursor.take(4)[:2], "little", signed=True)
        return number if type == _SHORT else bool(number)
    if type in (_LONG, _ERROR):
        return cursor.i32()
    if type in (_FLOAT, _DOUBLE, _APPTIME):
        return cursor.real(4 if type == _FLOAT else 8)
    if type in (_LONGLONG, _CURRENCY):
        return cursor.i64()
    if type == _SYSTIME:
        return filetime(cursor.i64())
    if type == _CLSID:
        return cursor.guid()
    raise CutShort(f"unknown property type {type:#06x}")
