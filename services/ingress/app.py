"""The ingress service: accepts mail over SMTP and spools it."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import uvloop

from services.ingress.assembly import Assembly
from services.ingress.load import LoadWatch
from services.ingress.server import Server
from shared.configuration.settings import Settings
from shared.operations.tasks import end
from shared.runtime.health import Health
from shared.runtime.reload import CurrentSettings, reload_on_hangup
from shared.spool import keys
from shared.spool.connect import open_async_spool

BEAT_SECONDS = 1.0
GAUGE_PATIENCE = timedelta(seconds=5)


def run(current: CurrentSettings, health: Health) -> None:
    """Serve until SIGTERM or SIGINT, drain, return. Raises ConfigurationError for what cannot be used."""
    uvloop.run(_run(current, health))


async def _run(current: CurrentSettings, health: Health) -> None:
    stop_requested = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop_requested.set)
    async with serving(current.settings) as (server, assembly):
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
async def serving(settings: Settings) -> AsyncIterator[tuple[Server, Assembly]]:
    """Serve inside the block; drain at its end. Raises ConfigurationError for what cannot be used."""
    spool = open_async_spool(settings.redis)
    gauge_spool = open_async_spool(settings.redis.model_copy(update={"timeout": GAUGE_PATIENCE}))
    queues = [keys.TRANSFORM, *(keys.egress(system.name) for system in settings.systems)]
    watch = LoadWatch(gauge_spool, settings.redis, queues)
    try:
        assembly = Assembly(settings, spool, watch.load)
        server = Server(assembly.ingress())
        await watch.start()
        await server.start()
        try:
            yield server, assembly
        finally:
            await server.stop()
    finally:
        await watch.stop()
        await gauge_spool.aclose()
        await spool.aclose()
