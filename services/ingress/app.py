"""The ingress service: accepts mail over SMTP and spools it."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvloop

from services.ingress.assembly import Assembly
from services.ingress.server import Server
from shared.operations.tasks import end
from shared.runtime.health import Health
from shared.runtime.reload import CurrentSettings, reload_on_hangup

BEAT_SECONDS = 1.0


def run(current: CurrentSettings, health: Health) -> None:
    """Serve until SIGTERM or SIGINT, drain, return. Raises ConfigurationError for what cannot be used."""
    uvloop.run(_run(current, health))


async def _run(current: CurrentSettings, health: Health) -> None:
    stop_requested = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop_requested.set)
    assembly = Assembly(current.settings)
    async with serving(assembly) as server:
        reloading = asyncio.create_task(reload_on_hangup(current, assembly.reassemble, server.use))
        while not stop_requested.is_set():
            health.beat()
            try:
                await asyncio.wait_for(stop_requested.wait(), BEAT_SECONDS)
            except TimeoutError:
                continue
        health.drain()
        await end([reloading])


@asynccontextmanager
async def serving(assembly: Assembly) -> AsyncIterator[Server]:
    """Serve inside the block; drain at its end. Raises ConfigurationError for what cannot be used."""
    server = Server(assembly.ingress())
    try:
        await assembly.watch.start()
        await server.start()
        try:
            yield server
        finally:
            await server.stop()
    finally:
        await assembly.aclose()
