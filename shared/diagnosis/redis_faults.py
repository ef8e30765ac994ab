"""Faults of `redis`: the address, embedded Redis, and the answers of Redis."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from shared.configuration.redis import RedisSettings
from shared.errors import ConfigurationError, SpoolError
from shared.operations import embedded_redis
from shared.spool.connect import PATIENCE, open_spool
from shared.spool.gauge import gauge_spool


def access_faults(settings: RedisSettings) -> Iterator[str]:
    """Yield contradictions of address, password and TLS."""
    if settings.sentinel:
        if "url" in settings.model_fields_set:
            yield "redis: url and sentinel are both set: remove url, Sentinel knows the address"
        return
    if settings.password_file and urlsplit(settings.url).password:
        yield "redis.password_file: redis.url has a password too: remove one of them"
    if (settings.ca or settings.certificate) and not settings.url.startswith("rediss://"):
        yield "redis.ca: TLS needs a URL that begins with rediss://: correct redis.url, or remove ca and certificate"


def embedded_outside_up(settings: RedisSettings) -> Iterator[str]:
    """Yield a fault if a service that runs alone is configured to use an embedded Redis."""
    if settings.is_embedded:
        yield "redis.url: embedded works only in `causeway up`: set the address of a Redis: redis://127.0.0.1:6379/0"


def embedded_faults(settings: RedisSettings) -> Iterator[str]:
    """Yield why `causeway up` cannot run an embedded Redis as configured, if it is to."""
    if not settings.is_embedded:
        return
    if settings.durability == "replicated":
        yield "redis.durability: an embedded Redis has no replicas: use fsync, or the address of a replicated Redis"
    try:
        embedded_redis.find_redis_server()
    except ConfigurationError as error:
        yield f"redis.url: embedded: {error}"


def answer_faults(settings: RedisSettings) -> Iterator[str]:
    """Query Redis, which may take two seconds; yield a fault if it is unavailable or less durable than declared."""
    if settings.is_embedded:
        yield from embedded_faults(settings)
        return
    if any(access_faults(settings)):
        return
    spool = open_spool(settings.model_copy(update={"timeout": PATIENCE}))
    try:
        if problem := spool.run(gauge_spool(settings)).problem:
            yield f"redis.durability: {problem}"
    except SpoolError as error:
        yield redis_away(settings, error)
    finally:
        spool.close()


def redis_away(settings: RedisSettings, error: SpoolError) -> str:
    """Return the fault of a Redis that cannot be used because of this error."""
    reason = str(error).removeprefix("Redis: ").rstrip(".")
    if settings.sentinel and "No master" in reason:
        service, nodes = settings.sentinel.service, ", ".join(map(str, settings.sentinel.nodes))
        return f'redis.sentinel: no primary of "{service}" is known to {nodes}: start Sentinel there, or correct both'
    key = "redis.sentinel" if settings.sentinel else "redis.url"
    if re.search(r"password|authentication", reason, re.IGNORECASE):
        return f"{key}: {reason}: correct user and password"
    return f"{key}: {reason}: start Redis there, or correct the address"
