"""The ingress service: accepts mail over SMTP and spools it."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import uvloop

from services.ingress.accept import Acceptance
from services.ingress.admission import client_share
from services.ingress.limits import ByteBudget, SessionLimit
from services.ingress.load import LoadWatch
from services.ingress.server import Server
from services.ingress.server_session import Ingress
from services.ingress.sources import Sources
from shared.configuration.settings import Settings
from shared.operations.tls import Tls
from shared.routing.router import CurrentRouter
from shared.runtime.health import Health
from shared.spool import keys
from shared.spool.connect import open_async_spool

BEAT_SECONDS = 1.0
GAUGE_PATIENCE = timedelta(seconds=5)


def run(settings: Settings, health: Health) -> None:
    """Serve until SIGTERM or SIGINT, drain, return. Raises ConfigurationError for what cannot be used."""
    uvloop.run(_run(settings, health))


async def _run(settings: Settings, health: Health) -> None:
    stop_requested = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop_requested.set)
    async with serving(settings):
        while not stop_requested.is_set():
            health.beat()
            try:
                await asyncio.wait_for(stop_requested.wait(), BEAT_SECONDS)
            except TimeoutError:
                continue
        health.drain()


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[Server]:
    """Serve inside the block; drain at its end. Raises ConfigurationError for what cannot be used."""
    ingress = settings.ingress
    hostname = ingress.hostname or settings.hostname
    router = CurrentRouter.configured(settings)
    tls = Tls.server(ingress.tls) if _uses_tls(settings) else None
    spool = open_async_spool(settings.redis)
    gauge_spool = open_async_spool(settings.redis.model_copy(update={"timeout": GAUGE_PATIENCE}))
    queues = [keys.TRANSFORM, *(keys.egress(system.name) for system in settings.systems)]
    watch = LoadWatch(gauge_spool, settings.redis, queues)
    server = Server(
        Ingress(
            settings=ingress,
            hostname=hostname,
            sources=Sources(settings.systems),
            router=router,
            tls=tls,
            acceptance=Acceptance(spool, watch.load, hostname, ingress, settings.redis),
            sessions=SessionLimit(ingress.max_sessions, ingress.max_sessions_per_client),
            byte_budget=ByteBudget(ingress.max_bytes_in_flight, client_share(ingress)),
        )
    )
    try:
        await watch.start()
        await server.start()
        try:
            yield server
        finally:
            await server.stop()
    finally:
        await watch.stop()
        await gauge_spool.aclose()
        await spool.aclose()


def _uses_tls(settings: Settings) -> bool:
    """Whether a certificate is needed: STARTTLS is offered where there is one, mandatory under `required`."""
    tls = settings.ingress.tls
    if settings.ingress.listen_tls or tls.mode == "required":
        return True
    return tls.mode == "opportunistic" and tls.certificate is not None
