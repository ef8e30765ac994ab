"""Deliveries in a real spool, and an egress worker in the test's own event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any

from services.egress.app import build_courier
from services.egress.worker import Worker
from shared.configuration.egress import EgressSettings, RetrySettings
from shared.configuration.redis import RedisSettings
from shared.configuration.settings import Settings
from shared.configuration.smart_hosts import SmartHost
from shared.configuration.systems import System
from shared.mail.edits import Edit
from shared.runtime.health import Health
from shared.spool.accept import accept
from shared.spool.connect import open_async_spool
from shared.spool.lease import lease_messages
from shared.spool.operation import AsyncSpool, Spool
from shared.spool.settlement import NewDelivery, Transformed
from shared.spool.write_settlements import write_settlements
from tests.support.mail import CONTENT, delivery, message

SYSTEM = "exchange"


def settings_for(redis: RedisSettings, smart_hosts: Sequence[SmartHost], **egress: Any) -> Settings:
    """Return settings of a gateway with one system to deliver to, impatient in everything."""
    impatient: dict[str, Any] = {
        "connect_timeout": timedelta(seconds=2),
        "command_timeout": timedelta(seconds=5),
        "data_timeout": timedelta(seconds=5),
        "lease": timedelta(seconds=5),
        "host_down": timedelta(milliseconds=300),
        "retry": RetrySettings(first=timedelta(milliseconds=100), jitter=0),
        "shutdown_timeout": timedelta(seconds=5),
    }
    return Settings(
        hostname="gw.example.com",
        redis=redis,
        systems=[System(name=SYSTEM, kind="exchange", smart_hosts=list(smart_hosts))],
        egress=EgressSettings(**{**impatient, **egress}),
    )


def spooled(
    spool: Spool,
    *recipients: str,
    sender: str | None = "a@example.com",
    content: bytes = CONTENT,
    edits: tuple[Edit, ...] = (),
    **changes: Any,
) -> str:
    """Put a delivery into the spool as transform would; return its id."""
    accepted = message(*recipients, sender=sender, content=content)
    spool.run(accept(accepted))
    [leased] = spool.run(lease_messages("test", max_jobs=1, max_bytes=10**9, seconds=60))
    made = replace(delivery(leased.envelope, SYSTEM, len(content)), **changes)
    assert spool.run(write_settlements([Transformed(leased.lease, (NewDelivery(made, edits),))]))
    return made.id


@asynccontextmanager
async def working(settings: Settings, spool: AsyncSpool | None = None) -> AsyncIterator[Worker]:
    """Run a worker; stop it at the end, and check that it has stopped. spool: closed at the end too."""
    spool = spool or open_async_spool(settings.redis)
    couriers = {system.name: build_courier(settings, system, spool) for system in settings.systems}
    worker = Worker(settings, spool, couriers, Health(), Random(1))
    task = asyncio.create_task(worker.run())
    try:
        yield worker
        worker.stop()
        await asyncio.wait_for(task, 20)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        for courier in couriers.values():
            await courier.aclose()
        await spool.aclose()


async def until(condition: Callable[[], object], seconds: float = 15.0) -> None:
    """Wait until something holds; fail where it does not in time."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 (what is waited for happens in threads, servers and Redis)
            await asyncio.sleep(0.01)
