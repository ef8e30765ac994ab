"""A line of the network between two parties, that a test can cut, slow down and silence."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from tests.support.forwarder import Forwarder

POLL_SECONDS = 0.02


class Line(Forwarder):
    """Forwards connections on 127.0.0.1:`port` to 127.0.0.1:`to`, which may be set later; `with` starts and ends it.

    delay_seconds: of each byte, either way. is_silent: bytes wait, as where every packet is dropped.
    """

    def __init__(self, to: int = 0) -> None:
        super().__init__()
        self.to = to
        self.delay_seconds = 0.0
        self.is_silent = False
        self.connections = 0
        self._is_cut = False
        self._ends: set[asyncio.StreamWriter] = set()

    def cut(self) -> None:
        """Reset every connection, and every new one until `mend`."""
        self._is_cut = True
        self.interrupt()

    def mend(self) -> None:
        """Let connections through again, at once and without delay."""
        self._is_cut, self.is_silent, self.delay_seconds = False, False, 0.0

    def interrupt(self) -> None:
        """Reset every connection there is now."""
        asyncio.run_coroutine_threadsafe(self._reset(), self._loop).result(10)

    async def _reset(self) -> None:
        for end in tuple(self._ends):
            end.transport.abort()

    async def _stop(self) -> None:
        await super()._stop()
        await self._reset()

    async def forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry a connection both ways, as the line is at each moment."""
        self._ends.add(writer)
        try:
            if self._is_cut:
                return
            self.connections += 1
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.to)
            self._ends.add(far_writer)
            try:
                await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))
            finally:
                self._ends.discard(far_writer)
                far_writer.transport.abort()
        except OSError:
            pass
        finally:
            self._ends.discard(writer)
            writer.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forward bytes in one direction, each part with its own delay; later parts do not wait longer for it."""
        parts: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def deliver() -> None:
            while True:
                due, part = await parts.get()
                await asyncio.sleep(due - self._loop.time())
                while self.is_silent:  # noqa: ASYNC110 (set by another thread)
                    await asyncio.sleep(POLL_SECONDS)
                if not part:
                    break
                writer.write(part)
                await writer.drain()

        async def take() -> None:
            part = b"-"
            while part:
                part = await reader.read(65536)
                parts.put_nowait((self._loop.time() + self.delay_seconds, part))

        with suppress(OSError):
            await asyncio.gather(take(), deliver())
        writer.close()
