"""Little-endian numbers and runs of bytes, read one after another; nothing is read past the end."""

from __future__ import annotations

import struct
from uuid import UUID


class CutShort(Exception):
    """The bytes end before what was announced. Internal to this package: the caller decides what is kept."""


class Cursor:
    """A position in bytes; each read advances it, and raises CutShort instead of passing the end."""

    def __init__(self, octets: bytes, position: int = 0) -> None:
        self.octets = octets
        self.position = position

    @property
    def left(self) -> int:
        """How many bytes follow."""
        return len(self.octets) - self.position

    def take(self, length: int) -> bytes:
        """Return the next `length` bytes."""
        if length > self.left:
            raise CutShort(f"{length} bytes announced, {self.left} left")
        self.position += length
        return self.octets[self.position - length : self.position]

    def u8(self) -> int:
        """Return the next byte."""
        return self.take(1)[0]

    def u16(self) -> int:
        """Return two bytes as a number."""
        return int.from_bytes(self.take(2), "little")

    def u32(self) -> int:
        """Return four bytes as a number."""
        return int.from_bytes(self.take(4), "little")

    def i32(self) -> int:
        """Return four bytes as a signed number."""
        return int.from_bytes(self.take(4), "little", signed=True)

    def i64(self) -> int:
        """Return eight bytes as a signed number."""
        return int.from_bytes(self.take(8), "little", signed=True)

    def real(self, size: int) -> float:
        """Return an IEEE number of 4 or 8 bytes."""
        number: float = struct.unpack("<f" if size == 4 else "<d", self.take(size))[0]
        return number

    def guid(self) -> UUID:
        """Return a GUID of sixteen bytes."""
        return UUID(bytes_le=self.take(16))

    def utf16(self, characters: int) -> str:
        """Return a string of two bytes a character."""
        return self.take(2 * characters).decode("utf-16-le", "replace")
