"""TNEF streams built for tests: attributes, MAPI properties, recipients, attachments, recurrences, time zones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

APPOINTMENT = UUID("00062002-0000-0000-c000-000000000046")
TASK = UUID("00062003-0000-0000-c000-000000000046")
ADDRESS = UUID("00062004-0000-0000-c000-000000000046")
COMMON = UUID("00062008-0000-0000-c000-000000000046")
MEETING = UUID("6ed8da90-450b-101b-98da-00aa003f1305")
PUBLIC_STRINGS = UUID("00020329-0000-0000-c000-000000000046")

IID_MESSAGE = UUID("00020307-0000-0000-c000-000000000046").bytes_le
IID_STORAGE = UUID("0000000b-0000-0000-c000-000000000046").bytes_le
GLOBAL_ID = bytes.fromhex("040000008200E00074C5B7101A82E008")

Key = int | tuple[UUID, int | str]


def u16(number: int) -> bytes:
    return number.to_bytes(2, "little")


def u32(number: int) -> bytes:
    return (number & 0xFFFFFFFF).to_bytes(4, "little")


def padded(octets: bytes) -> bytes:
    return octets + bytes(-len(octets) % 4)


def property_(key: Key, type: int, value: bytes) -> bytes:
    """Return one encoded property; `value` as it follows the tag."""
    if isinstance(key, int):
        return u16(type) + u16(key) + value
    guid, name = key
    if isinstance(name, int):
        return u16(type) + u16(0x8000) + guid.bytes_le + u32(0) + u32(name) + value
    items = f"{name}\0".encode("utf-16-le")
    return u16(type) + u16(0x8000) + guid.bytes_le + u32(1) + u32(len(items)) + padded(items) + value


def _runs(*values: bytes) -> bytes:
    return u32(len(values)) + b"".join(u32(len(value)) + padded(value) for value in values)


def text(key: Key, value: str) -> bytes:
    return property_(key, 0x1F, _runs(f"{value}\0".encode("utf-16-le")))


def texts(key: Key, *values: str) -> bytes:
    return property_(key, 0x101F, _runs(*(f"{value}\0".encode("utf-16-le") for value in values)))


def string8(key: Key, value: bytes) -> bytes:
    return property_(key, 0x1E, _runs(value + b"\0"))


def binary(key: Key, value: bytes) -> bytes:
    return property_(key, 0x102, _runs(value))


def binaries(key: Key, *values: bytes) -> bytes:
    return property_(key, 0x1102, _runs(*values))


def object_(key: Key, value: bytes) -> bytes:
    return property_(key, 0xD, _runs(value))


def number(key: Key, value: int) -> bytes:
    return property_(key, 0x3, u32(value))


def flag(key: Key, value: bool) -> bytes:
    return property_(key, 0xB, u32(int(value)))


def real(key: Key, octets: bytes) -> bytes:
    return property_(key, 0x5, octets)


def moment(key: Key, value: datetime) -> bytes:
    ticks = round((value - datetime(1601, 1, 1, tzinfo=UTC)).total_seconds()) * 10_000_000
    return property_(key, 0x40, ticks.to_bytes(8, "little"))


def properties(*items: bytes) -> bytes:
    return u32(len(items)) + b"".join(items)


def attribute(level: int, id: int, octets: bytes, *, type: int = 6, checksum: int | None = None) -> bytes:
    total = sum(octets) & 0xFFFF if checksum is None else checksum
    return bytes((level,)) + u16(id) + u16(type) + u32(len(octets)) + octets + u16(total)


def stream(*attributes: bytes) -> bytes:
    return u32(0x223E9F78) + u16(1) + b"".join(attributes)


def attachment(name: bytes = b"", data: bytes | None = None, *items: bytes) -> tuple[bytes, ...]:
    """Return the attributes of one attachment."""
    return (
        attribute(2, 0x9002, bytes(14)),
        *([attribute(2, 0x8010, name + b"\0", type=1)] if name else []),
        *([attribute(2, 0x800F, data)] if data is not None else []),
        *([attribute(2, 0x9005, properties(*items))] if items else []),
    )


def embedded(inner: bytes, name: str = "") -> tuple[bytes, ...]:
    """Return the attributes of an attached message."""
    return attachment(
        b"Untitled Attachment",
        b"This attachment is a MAPI 1.0 embedded message",
        number(0x3705, 5),
        object_(0x3701, IID_MESSAGE + inner),
        *([text(0x3001, name)] if name else []),
    )


def recipient(name: str, address: str, role: int = 1, flags: int = 0) -> bytes:
    return properties(
        text(0x3001, name), text(0x3002, "SMTP"), text(0x3003, address), number(0x0C15, role), number(0x5FFD, flags)
    )


def message(
    message_class: str = "IPM.Note",
    items: Sequence[bytes] = (),
    attachments: Sequence[tuple[bytes, ...]] = (),
    *,
    codepage: int = 1252,
    recipients: Sequence[bytes] = (),
) -> bytes:
    """Return a whole stream."""
    table = [attribute(1, 0x9004, u32(len(recipients)) + b"".join(recipients))] if recipients else []
    return stream(
        attribute(1, 0x9006, u32(0x10000), type=8),
        attribute(1, 0x9007, u32(codepage) + u32(0)),
        attribute(1, 0x8008, message_class.encode() + b"\0", type=7),
        *table,
        attribute(1, 0x9003, properties(*items)),
        *(candidate for told_attributes in attachments for candidate in told_attributes),
    )


def rtf(octets: bytes) -> bytes:
    """Return the property with RTF, stored without compression."""
    return binary(0x1009, u32(len(octets) + 12) + u32(len(octets)) + b"MELA" + u32(0) + octets)


def compressed(octets: bytes) -> bytes:
    """Return RTF as a compressed stream of literals only."""
    out = bytearray()
    write = 207
    for at in range(0, len(octets), 8):
        chunk = octets[at : at + 8]
        write = (write + len(chunk)) % 4096
        last = len(chunk) < 8
        out += bytes((1 << len(chunk) if last else 0,)) + chunk
        out += (write << 4).to_bytes(2, "big") if last else b""
    if len(octets) % 8 == 0:
        out += b"\x01" + (write << 4).to_bytes(2, "big")
    return u32(len(out) + 12) + u32(len(octets)) + b"LZFu" + u32(0) + bytes(out)


@dataclass(frozen=True, slots=True)
class Rule:
    """A time zone's rule: minutes to add to local time, and switches as (month, weekday from Sunday, week, hour)."""

    bias: int
    to_standard: tuple[int, int, int, int] | None = None
    to_daylight: tuple[int, int, int, int] | None = None
    year: int = 1601
    effective: bool = True

    def body(self) -> bytes:
        return u32(self.bias) + u32(0) + u32(-60 if self.to_daylight else 0)

    def switches(self) -> tuple[bytes, bytes]:
        standard, daylight = self.to_standard or (0, 0, 0, 0), self.to_daylight or (0, 0, 0, 0)
        return _system_time(*standard), _system_time(*daylight)


BERLIN = Rule(-60, (10, 0, 5, 3), (3, 0, 5, 2))
NEW_YORK = Rule(300, (11, 0, 1, 2), (3, 0, 2, 2))
SYDNEY = Rule(-600, (4, 0, 1, 3), (10, 0, 1, 2))


def _system_time(month: int, weekday: int, week: int, hour: int) -> bytes:
    return b"".join(map(u16, (0, month, weekday, week, hour, 0, 0, 0)))


def zone_definition(name: str, *rules: Rule) -> bytes:
    header = u16(2) + u16(len(name)) + name.encode("utf-16-le") + u16(len(rules))
    items = b""
    for rule in rules:
        body = u16(2 if rule.effective else 0) + u16(rule.year) + bytes(14) + rule.body() + b"".join(rule.switches())
        items += b"\x02\x01" + u16(len(body)) + body
    return b"\x02\x01" + u16(len(header)) + header + items


def zone_rule(rule: Rule) -> bytes:
    standard, daylight = rule.switches()
    return rule.body() + u16(0) + standard + u16(0) + daylight


def minutes(local: datetime) -> int:
    return round((local - datetime(1601, 1, 1)).total_seconds()) // 60


@dataclass(frozen=True, slots=True)
class Moved:
    """An occurrence that was changed; all times local."""

    original: datetime
    start: datetime
    end: datetime
    subject: str | None = None
    location: str | None = None


def recurrence(  # noqa: PLR0917 in the order of the structure
    frequency: int,
    pattern: int,
    period: int,
    specific: Sequence[int],
    start: datetime,
    length_minutes: int = 60,
    *,
    count: int | None = None,
    until: datetime | None = None,
    deleted: Sequence[datetime] = (),
    moved: Sequence[Moved] = (),
    first_weekday: int = 0,
    calendar: int = 0,
    extended: bool = True,
) -> bytes:
    """Return an AppointmentRecurrencePattern. start: of the first occurrence, local; deleted: days, `moved` not among
    them."""
    ends, last = (0x2022, start) if count is not None else (0x2021, until) if until else (0x2023, datetime(4500, 8, 31))
    gone = sorted(
        [*(day.replace(hour=0, minute=0) for day in deleted), *(m.original.replace(hour=0, minute=0) for m in moved)]
    )
    assert last
    since = start.hour * 60 + start.minute
    octets = u16(0x3004) + u16(0x3004) + u16(frequency) + u16(pattern) + u16(calendar) + u32(0) + u32(period) + u32(0)
    octets += b"".join(map(u32, specific)) + u32(ends) + u32(10 if count is None else count) + u32(first_weekday)
    octets += u32(len(gone)) + b"".join(u32(minutes(day)) for day in gone)
    octets += u32(len(moved)) + b"".join(u32(minutes(m.start.replace(hour=0, minute=0))) for m in moved)
    octets += u32(minutes(start.replace(hour=0, minute=0))) + u32(minutes(last.replace(hour=0, minute=0)))
    octets += u32(0x3006) + u32(0x3009) + u32(since) + u32(since + length_minutes) + u16(len(moved))
    octets += b"".join(map(_exception, moved))
    if extended:
        octets += u32(0) + b"".join(map(_extended_exception, moved)) + u32(0)
    return octets


def _times(moved: Moved) -> bytes:
    return u32(minutes(moved.start)) + u32(minutes(moved.end)) + u32(minutes(moved.original))


def _exception(moved: Moved) -> bytes:
    octets = _times(moved) + u16(
        (0x1 if moved.subject is not None else 0) | (0x10 if moved.location is not None else 0)
    )
    for items in (moved.subject, moved.location):
        if items is not None:
            short = items.encode("cp1252", "replace")
            octets += u16(len(short) + 1) + u16(len(short)) + short
    return octets


def _extended_exception(moved: Moved) -> bytes:
    octets = u32(4) + u32(0) + u32(0)
    if moved.subject is None and moved.location is None:
        return octets
    octets += _times(moved)
    for items in (moved.subject, moved.location):
        if items is not None:
            octets += u16(len(items)) + items.encode("utf-16-le")
    return octets + u32(0)
