"""What a Service is to its clients: one address, and behind it whichever pods are ready, one after the other."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from itertools import count


class Endpoints:
    """Forwards connections on 127.0.0.1:`port` to `pods`, (host, port) pairs that may change at any time."""

    def __init__(self) -> None:
        self.pods: list[tuple[str, int]] = []
        self.port = 0
        self._turn = count()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def __enter__(self) -> Endpoints:
        self._thread.start()
        serving = asyncio.start_server(self._forward, "127.0.0.1", 0)
        self._server = asyncio.run_coroutine_threadsafe(serving, self._loop).result(10)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _stop(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pods = self.pods
        try:
            far_reader, far_writer = await asyncio.open_connection(*pods[next(self._turn) % len(pods)])
        except (OSError, ZeroDivisionError):
            writer.close()
            return
        await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
