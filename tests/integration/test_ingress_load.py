"""The watch over the spool's load, on a real Redis."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from services.ingress import load
from services.ingress.load import LoadWatch
from shared.configuration.redis import RedisSettings
from shared.spool import keys
from shared.spool.connect import open_async_spool


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come to that within ten seconds")


def test_a_stop_during_a_reading_ends_the_watch(redis_settings: RedisSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else ingress would drain, and then never end."""
    monkeypatch.setattr(load, "PERIOD_SECONDS", 0)
    asyncio.run(stop_amid_readings(redis_settings))


async def stop_amid_readings(redis_settings: RedisSettings) -> None:
    spool = open_async_spool(redis_settings)
    for turns in range(30):
        watch = LoadWatch(spool, redis_settings, [keys.TRANSFORM])
        await watch.start()
        for _ in range(turns):
            await asyncio.sleep(0)
        async with asyncio.timeout(20):
            await watch.stop()
    await spool.aclose()


def test_a_bug_in_one_reading_does_not_end_the_watch(redis_settings: RedisSettings) -> None:
    """Else all mail would be refused until somebody restarts the service."""
    asyncio.run(watch_through_a_bug(redis_settings))


async def watch_through_a_bug(redis_settings: RedisSettings) -> None:
    spool, queues = open_async_spool(redis_settings), [keys.TRANSFORM]
    watch = LoadWatch(spool, redis_settings, queues)
    await watch.start()
    try:
        assert watch.load().problem == ""
        queues.append("\udcff")  # a name that cannot be sent
        await until(lambda: watch.load().problem != "")
        queues.pop()
        await until(lambda: watch.load().problem == "")
    finally:
        await watch.stop()
        await spool.aclose()
