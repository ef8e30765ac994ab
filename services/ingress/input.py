"""The bytes that a client has sent and the session has not read yet."""

from __future__ import annotations

import asyncio

HIGH_WATER = 256 * 1024
"""Bytes above which reading from the client is paused."""


class Input:
    """The buffer between a transport and one reader, which reads lines or chunks.

    Bounded: above HIGH_WATER the transport is paused until the reader has caught up.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._ended = False
        self._arrival: asyncio.Future[None] | None = None
        self._transport: asyncio.ReadTransport | None = None
        self._paused = False

    def attach(self, transport: asyncio.ReadTransport) -> None:
        """Set the transport to pause and to resume."""
        self._transport = transport

    def feed(self, data: bytes) -> None:
        """Add what the transport has received; ignored once the input has ended."""
        if self._ended:
            return
        self._buffer += data
        self._wake()
        if len(self._buffer) > HIGH_WATER and self._transport and not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def end(self) -> None:
        """Mark the end of the input. What is buffered can still be read."""
        self._ended = True
        self._wake()

    def drop(self) -> None:
        """Discard what is buffered, and mark the end of the input."""
        self._buffer.clear()
        self.end()

    @property
    def waiting(self) -> int:
        """How many bytes wait to be read."""
        return len(self._buffer)

    @property
    def has_line(self) -> bool:
        """Whether a whole line waits to be read."""
        return b"\r\n" in self._buffer

    async def line(self, limit: int) -> bytes | None:
        """Return the next line without its CRLF; None at the end of the input, also inside a line.

        A line longer than `limit` bytes is returned cut to `limit` + 1; the rest of it is dropped.
        """
        start, kept = 0, b""
        while (end := self._buffer.find(b"\r\n", start)) < 0:
            if len(self._buffer) > limit + 1:
                kept = kept or bytes(self._buffer[: limit + 1])
                del self._buffer[: -1 if self._buffer.endswith(b"\r") else None]
            start = max(0, len(self._buffer) - 1)
            if not await self._more():
                return None
        line = kept or bytes(self._buffer[: min(end, limit + 1)])
        del self._buffer[: end + 2]
        self._resume()
        return line

    async def chunk(self, limit: int = HIGH_WATER) -> bytes:
        """Return what is buffered, 1 to `limit` bytes; b"" at the end of the input."""
        if not self._buffer and not await self._more():
            return b""
        with memoryview(self._buffer) as buffer:
            data = bytes(buffer[:limit])
        del self._buffer[:limit]
        self._resume()
        return data

    def unread(self, data: bytes) -> None:
        """Put back the bytes that were read too far."""
        self._buffer[:0] = data

    async def _more(self) -> bool:
        """Wait for more; False at the end of the input."""
        if self._ended:
            return False
        self._resume()
        self._arrival = asyncio.get_running_loop().create_future()
        try:
            await self._arrival
        finally:
            self._arrival = None
        return True

    def _wake(self) -> None:
        if self._arrival and not self._arrival.done():
            self._arrival.set_result(None)

    def _resume(self) -> None:
        if self._paused and len(self._buffer) <= HIGH_WATER and self._transport:
            self._paused = False
            self._transport.resume_reading()
