"""A TNEF stream as its attributes (MS-OXTNEF section 2.1.2): level, id, bytes, in the order of the stream.

Reading is lenient, so that readable parts are delivered: a wrong checksum, a truncation, or garbage after the last
attribute is reported in `damage`, and the attributes before it are returned. Line ends and zeros after the last
attribute, which mail systems add, are no damage. Time and memory are linear in the bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from zlib import adler32

from services.transform.tnef.cursor import Cursor, CutShort
from shared.errors import MalformedTnef

SIGNATURE = 0x223E9F78
MESSAGE, ATTACHMENT = 1, 2
MAX_ATTRIBUTES = 50_000

_PADDING = b"\0\r\n"


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute. id: without the type, which the id implies (MS-OXTNEF section 2.1.3.2)."""

    level: int
    id: int
    octets: bytes


@dataclass(frozen=True, slots=True)
class Stream:
    """The attributes that could be read, and a line for each defect of the stream."""

    attributes: tuple[Attribute, ...]
    damage: tuple[str, ...] = ()


def is_tnef(octets: bytes, start: int = 0) -> bool:
    """Whether TNEF's signature is at that position."""
    return octets[start : start + 4] == SIGNATURE.to_bytes(4, "little")


def _checksum(octets: bytes) -> int:
    """Return the sum of the bytes, modulo 65536.

    The low half of Adler-32 is one more than the sum, modulo 65521, which 256 bytes never reach; `sum` takes four
    times as long.
    """
    view = memoryview(octets)
    return sum((adler32(view[at : at + 256]) & 0xFFFF) - 1 for at in range(0, len(view), 256)) & 0xFFFF


def read_stream(octets: bytes, start: int = 0) -> Stream:
    """Return the attributes of a stream that begins at `start`.

    Raises MalformedTnef when it has no signature, or no attribute at all.
    """
    if not is_tnef(octets, start):
        raise MalformedTnef("no TNEF stream: the signature is missing")
    cursor = Cursor(octets, start + 6)  # the signature, and an unused key
    attributes: list[Attribute] = []
    damage: list[str] = []
    while cursor.left > 0 and octets[cursor.position] in (MESSAGE, ATTACHMENT):
        if len(attributes) == MAX_ATTRIBUTES:
            damage.append(f"more than {MAX_ATTRIBUTES} attributes")
            break
        at = cursor.position
        try:
            level, id, _type, length = cursor.u8(), cursor.u16(), cursor.u16(), cursor.u32()
            value = cursor.take(length)
            checksum = cursor.u16()
        except CutShort as error:
            damage.append(f"truncated in the attribute at byte {at}: {error}")
            break
        if _checksum(value) != checksum:
            damage.append(f"wrong checksum of attribute {id:#06x} at byte {at}")
        attributes.append(Attribute(level, id, value))
    else:
        if octets[cursor.position :].strip(_PADDING):
            damage.append(f"{cursor.left} bytes after the last attribute")
    if not attributes:
        raise MalformedTnef("no TNEF stream: no attribute can be read")
    return Stream(tuple(attributes), tuple(damage))
