"""Connections to the spool's Redis, as the configuration describes it.

The client library never repeats a request: only the record shows whether an unanswered lease or settlement was
carried out.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.asyncio.sentinel import Sentinel as AsyncSentinelClient
from redis.backoff import NoBackoff
from redis.credentials import CredentialProvider
from redis.retry import Retry
from redis.sentinel import Sentinel as SentinelClient

from shared.configuration.redis import RedisAccess, RedisSettings, Sentinel
from shared.spool.operation import AsyncSpool, Spool

PATIENCE = timedelta(seconds=2)
"""How long a probe or a scrape waits for Redis: less than the shortest usual timeout of either."""


class _PasswordFile(CredentialProvider):
    """User and password from a file that is read at each connection, so that a new password needs no restart."""

    def __init__(self, access: RedisAccess, key: str) -> None:
        self._username = access.username
        self._file = access.password_file
        self._key = key

    def get_credentials(self) -> tuple[str] | tuple[str, str]:
        """Return the credentials. Raises redis.AuthenticationError where the file cannot be read."""
        assert self._file
        try:
            password = self._file.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "not UTF-8 text"
            raise redis.AuthenticationError(
                f"{self._key}.password_file: {self._file} cannot be read ({reason})"
            ) from None
        return (self._username, password) if self._username else (password,)


def _access(access: RedisAccess, key: str, *, tls: bool) -> dict[str, Any]:
    """Return the client's options for credentials and, with TLS, certificates."""
    options: dict[str, Any] = {}
    if access.password_file:
        options["credential_provider"] = _PasswordFile(access, key)
    files = {"ssl_ca_certs": access.ca, "ssl_certfile": access.certificate, "ssl_keyfile": access.key}
    if tls:
        options |= {name: str(file) for name, file in files.items() if file}
    return options


def _has_tls(settings: RedisSettings) -> bool:
    return settings.ca is not None if settings.sentinel else settings.url.startswith("rediss://")


def _options(settings: RedisSettings) -> dict[str, Any]:
    seconds = settings.timeout.total_seconds()
    limits = {"socket_timeout": seconds, "socket_connect_timeout": seconds, "health_check_interval": 30}
    return limits | _access(settings, "redis", tls=_has_tls(settings))


def _sentinel(sentinel: Sentinel, options: dict[str, Any], settings: RedisSettings) -> dict[str, Any]:
    """Return the arguments of the Sentinel client; each leg (Sentinel, Redis) uses TLS if its `ca` is set."""
    has_tls = sentinel.ca is not None
    limits = {name: options[name] for name in ("socket_timeout", "socket_connect_timeout", "retry")}
    return {
        "sentinels": [(node.host, node.port) for node in sentinel.nodes],
        "sentinel_kwargs": {**limits, **_access(sentinel, "redis.sentinel", tls=has_tls), "ssl": has_tls},
        **options,
        "ssl": _has_tls(settings),
    }


def connect(settings: RedisSettings) -> redis.Redis:
    """Return a synchronous client; it connects when first used."""
    options = {**_options(settings), "retry": Retry(NoBackoff(), 0)}
    if settings.sentinel:
        primary = SentinelClient(**_sentinel(settings.sentinel, options, settings))  # type: ignore[no-untyped-call]
        return primary.master_for(settings.sentinel.service)  # type: ignore[no-any-return, no-untyped-call]
    return redis.Redis.from_url(settings.url, **options)


def connect_async(settings: RedisSettings) -> redis.asyncio.Redis:
    """Return an asynchronous client; it connects when first used, and belongs to one event loop."""
    options = {**_options(settings), "retry": AsyncRetry(NoBackoff(), 0)}
    if settings.sentinel:
        primary = AsyncSentinelClient(**_sentinel(settings.sentinel, options, settings))  # type: ignore[no-untyped-call]
        return primary.master_for(settings.sentinel.service)  # type: ignore[no-any-return]
    return redis.asyncio.Redis.from_url(settings.url, **options)


def open_spool(settings: RedisSettings) -> Spool:
    """Return the spool for synchronous use."""
    return Spool(connect(settings))


def open_async_spool(settings: RedisSettings) -> AsyncSpool:
    """Return the spool for use in one event loop."""
    return AsyncSpool(connect_async(settings))
