"""A line of the network between two parties, that a test can cut, slow down and silence."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress

POLL_SECONDS = 0.02


class Line:
    """Forwards connections on 127.0.0.1:`port` to 127.0.0.1:`to`, which may be set later; `with` starts and ends it.

    delay_seconds: of each octet, either way. is_silent: octets wait, as where every packet is dropped.
    """

    def __init__(self, to: int = 0) -> None:
        self.to = to
        self.port = 0
        self.delay_seconds = 0.0
        self.is_silent = False
        self.connections = 0
        self._is_cut = False
        self._ends: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def __enter__(self) -> Line:
        self._thread.start()
        serving = asyncio.start_server(self._accept, "127.0.0.1", 0)
        self._server = asyncio.run_coroutine_threadsafe(serving, self._loop).result(10)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

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
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self._reset()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
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
        """Carry octets one way, each part as late as it is told; the parts behind it wait no longer for that."""
        parts: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def deliver() -> None:
            while True:
                due, part = await parts.get()
                await asyncio.sleep(due - self._loop.time())
                while self.is_silent:  # noqa: ASYNC110 (told by another thread)
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
