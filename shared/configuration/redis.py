"""`redis`: the address of the spool, the access to it, and its durability."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from pydantic import AfterValidator, Field, model_validator

from shared.configuration.endpoint import Listen
from shared.configuration.section import Section
from shared.configuration.values import Duration, File, PositiveDuration

Durability = Literal["memory", "everysec", "fsync", "replicated"]

EMBEDDED = "embedded"
_SCHEMES = ("redis", "rediss", "unix")
_FORM = "write redis://host:port/0, rediss://host:port/0, unix:///path or embedded"
_ENCODE = "not a Redis URL: percent-encode /, ?, #, @ and : in the password (/ is %2F), or use password_file instead"
_OPTIONS = frozenset({"db", "protocol", "client_name", "ssl_check_hostname", "ssl_min_version", "socket_keepalive"})
"""Supported options of the URL's query. Others have their own key here, or would weaken TLS or repeat requests."""


def _check_url(url: str) -> str:
    """Return the URL of a Redis. Raises ValueError, which shows no part of it: it may hold a password."""
    if url == EMBEDDED:
        return url
    try:
        parts = urlsplit(url)
    except ValueError:  # whose text shows the password
        raise ValueError(_ENCODE) from None
    if parts.scheme not in _SCHEMES:
        raise ValueError(f"not a Redis URL: {_FORM}")
    if parts.fragment or "@" in parts.query or not _has_port_or_none(parts):
        raise ValueError(_ENCODE)
    if parts.scheme != "unix" and not parts.hostname:
        raise ValueError(f"the URL has no host: {_FORM}")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    for option in options.keys() - _OPTIONS:
        raise ValueError(
            f'unknown option "{option}" in the URL: remove it; supported are {", ".join(sorted(_OPTIONS))}'
        )
    database = options.get("db") or ("" if parts.scheme == "unix" else unquote(parts.path).strip("/"))
    if database and not database.isdecimal():
        raise ValueError("the database in the URL must be a number, for example redis://host:6379/0")
    return url


def _has_port_or_none(parts: SplitResult) -> bool:
    try:
        return parts.port is None or parts.port > 0
    except ValueError:
        return False


class RedisAccess(Section):
    """Access to a Redis or a Sentinel.

    username, password_file: of a user of its ACL; the file is read at each connection. ca: trust anchors; with
    `rediss://` or Sentinel the connection is encrypted and verified. certificate and key: presented to the server.
    """

    username: str | None = None
    password_file: File | None = None
    ca: File | None = None
    certificate: File | None = None
    key: File | None = None

    @model_validator(mode="after")
    def _check_pairs(self) -> RedisAccess:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("`certificate` and `key` go together: set both")
        if self.username and not self.password_file:
            raise ValueError("`username` needs `password_file`: name the file with its password")
        return self


class Sentinel(RedisAccess):
    """Redis found through Sentinel. Connections to Sentinel use TLS where `ca` is set."""

    service: str
    nodes: Annotated[list[Listen], Field(min_length=1)]


class RedisSettings(RedisAccess):
    """The address of the spool, and its durability.

    url: redis://, rediss://, unix://, or `embedded` (only `causeway up`, `demo`). replicas: how many must confirm a
    write under `replicated`. max_memory_fraction, max_queue_depth (ready jobs): above them ingress replies 452.
    history: how long `causeway trace` finds a finished message.
    """

    url: Annotated[str, AfterValidator(_check_url)] = "redis://127.0.0.1:6379/0"
    sentinel: Sentinel | None = None
    durability: Durability = "fsync"
    replicas: Annotated[int, Field(ge=1)] = 1
    max_memory_fraction: Annotated[float, Field(gt=0, le=1)] = 0.8
    max_queue_depth: Annotated[int, Field(ge=1)] = 2_000_000
    timeout: PositiveDuration = timedelta(seconds=10)
    history: Duration = timedelta(days=1)

    @property
    def is_embedded(self) -> bool:
        """Whether `causeway up` starts the Redis."""
        return self.url == EMBEDDED
