"""The mail systems around the gateway, in a thread of their own: clients that send, and a smart host that takes."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import cast

import uvloop

from bench.soak.ledger import FATES, Ledger
from bench.soak.load import Load
from bench.soak.sink import Sink
from shared.operations.certificates import SelfSigned


class Peers:
    """`port` is the smart host's. What is sent and what arrives is noted in `ledger`."""

    def __init__(self, made: SelfSigned, contents: Sequence[bytes], ledger: Ledger) -> None:
        self._contents, self._ledger = contents, ledger
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(made.certificate, made.key)
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="peers", daemon=True)
        self.port = 0

    def __enter__(self) -> Peers:
        self._thread.start()
        deferred: set[str] = set()
        serving = self._loop.create_server(
            lambda: Sink(self._context, self._ledger, deferred), "127.0.0.1", 0, backlog=1000
        )
        self._server = cast("asyncio.Server", asyncio.run_coroutine_threadsafe(serving, self._loop).result(10))
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _close(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def burst(self, port: int, total: int, sessions: int) -> None:
        """Send so many messages to the gateway at `port` as fast as it takes them."""
        load = Load(port, self._contents, self._ledger, rate=None, sessions=sessions, fates=("taken",), total=total)
        asyncio.run_coroutine_threadsafe(load.run(), self._loop).result()

    @contextmanager
    def load(self, port: int, rate: float, sessions: int, fates: tuple[str, ...] = FATES) -> Iterator[None]:
        """Send to the gateway at `port` inside the block; at its end wait until each message has its answer."""
        load = Load(port, self._contents, self._ledger, rate=rate, sessions=sessions, fates=fates)
        running = asyncio.run_coroutine_threadsafe(load.run(), self._loop)
        try:
            yield
        finally:
            self._loop.call_soon_threadsafe(load.stop)
            running.result()
