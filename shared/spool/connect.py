"""Connections to the spool's Redis, as the configuration describes it.

A request is never repeated by the client library: whether a lease or a settlement that got no answer was carried out
is known to the record alone.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.asyncio.sentinel import Sentinel as AsyncSentinel
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel

from shared.configuration.redis import RedisSettings
from shared.spool.operation import AsyncSpool, Spool

PATIENCE = timedelta(seconds=2)
"""How long a probe or a scrape waits for Redis: less than the shortest usual time limit of either."""


def _options(settings: RedisSettings) -> dict[str, Any]:
    seconds = settings.timeout.total_seconds()
    return {"socket_timeout": seconds, "socket_connect_timeout": seconds, "health_check_interval": 30}


def connect(settings: RedisSettings) -> redis.Redis:
    """Return a synchronous client; it connects when first used."""
    options = {**_options(settings), "retry": Retry(NoBackoff(), 0)}
    if settings.sentinel:
        nodes = [(node.host, node.port) for node in settings.sentinel.nodes]
        return Sentinel(nodes, **options).master_for(settings.sentinel.service)  # type: ignore[no-any-return, no-untyped-call]
    return redis.Redis.from_url(settings.url, **options)


def connect_async(settings: RedisSettings) -> redis.asyncio.Redis:
    """Return an asynchronous client; it connects when first used, and belongs to one event loop."""
    options = {**_options(settings), "retry": AsyncRetry(NoBackoff(), 0)}
    if settings.sentinel:
        nodes = [(node.host, node.port) for node in settings.sentinel.nodes]
        return AsyncSentinel(nodes, **options).master_for(settings.sentinel.service)  # type: ignore[no-any-return, no-untyped-call]
    return redis.asyncio.Redis.from_url(settings.url, **options)


def open_spool(settings: RedisSettings) -> Spool:
    """Return the spool for synchronous use."""
    return Spool(connect(settings))


def open_async_spool(settings: RedisSettings) -> AsyncSpool:
    """Return the spool for use in one event loop."""
    return AsyncSpool(connect_async(settings))
