"""What a Service is to its clients: one address, and behind it whichever pods are ready, one after the other."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from itertools import count

from tests.support.forwarder import Forwarder


class Endpoints(Forwarder):
    """Forwards connections on 127.0.0.1:`port` to `pods`, (host, port) pairs that may change at any time."""

    def __init__(self) -> None:
        super().__init__()
        self.pods: list[tuple[str, int]] = []
        self._turn = count()

    async def forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry a connection to the pod whose turn it is."""
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
