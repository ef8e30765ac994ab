"""Little-endian numbers and runs of octets, read one after another; nothing is read past the end."""

from __future__ import annotations

import struct
from uuid import UUID


class CutShort(Exception):
    """The octets end before what was announced. Stays inside this package: whoever reads decides what is kept."""


class Cursor:
    """A place in octets; each read moves it on, and raises CutShort rather than pass the end."""

    def __init__(self, octets: bytes, position: int = 0) -> None:
        self.octets = octets
        self.position = position

    @property
    def left(self) -> int:
        """How many octets follow."""
        return len(self.octets) - self.position

    def take(self, length: int) -> bytes:
        """Return the next `length` octets."""
        if length > self.left:
            raise CutShort(f"{length} octets announced, {self.left} left")
        self.position += length
        return self.octets[self.position - length : self.position]

    def u8(self) -> int:
        """Return the next octet."""
        return self.take(1)[0]

    def u16(self) -> int:
        """Return two octets as a number."""
        return int.from_bytes(self.take(2), "little")

    def u32(self) -> int:
        """Return four octets as a number."""
        return int.from_bytes(self.take(4), "little")

    def i32(self) -> int:
        """Return four octets as a signed number."""
        return int.from_bytes(self.take(4), "little", signed=True)

    def i64(self) -> int:
        """Return eight octets as a signed number."""
        return int.from_bytes(self.take(8), "little", signed=True)

    def real(self, size: int) -> float:
        """Return an IEEE number of 4 or 8 octets."""
        number: float = struct.unpack("<f" if size == 4 else "<d", self.take(size))[0]
        return number

    def guid(self) -> UUID:
        """Return a GUID of sixteen octets."""
        return UUID(bytes_le=self.take(16))

    def utf16(self, characters: int) -> str:
        """Return a string of two octets a character."""
        return self.take(2 * characters).decode("utf-16-le", "replace")
