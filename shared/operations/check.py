"""Everything that can be known of a configuration before start, one line a fault: file, key, what is wrong, what to do.

Three grades: what no service can start with (`faults_before_start`), what is wrong all the same (`check`), and what an
administrator hardly meant (`warnings`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import combinations
from pathlib import Path

from shared.errors import ConfigurationError, SpoolError
from shared.operations import embedded
from shared.operations.certificates import inspect
from shared.operations.gauges import PATIENCE, certificates
from shared.operations.settings import Settings, parse_listen
from shared.operations.tls import client_context, server_context
from shared.routing.address_map_file import AddressMapFile
from shared.routing.topology_faults import faults, map_faults
from shared.spool.connect import open_spool
from shared.spool.gauge import gauge_spool

WARN = timedelta(days=21)
"""A certificate with less left is told of: by then an automatic renewal should have happened."""
_EVERYWHERE = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 (compared with, not bound to)


def faults_before_start(settings: Settings, path: Path | None = None) -> list[str]:
    """Return what a service cannot start with. Reads files, asks nobody."""
    return _located(path, [*_local_faults(settings), *_embedded_outside_up(settings)])


def faults_to_run_all(settings: Settings, path: Path | None = None) -> list[str]:
    """Return what `causeway up` cannot start with: as `faults_before_start`, but Redis may be embedded."""
    return _located(path, [*_local_faults(settings), *_embedded_faults(settings)])


def check(settings: Settings, path: Path | None = None, now: datetime | None = None) -> list[str]:
    """Return every fault; empty when all is well. Reads files and asks Redis, which may take two seconds."""
    expired = _expired(settings, now or datetime.now(UTC))
    return _located(path, [*_local_faults(settings), *expired, *_redis_faults(settings)])


def warnings(settings: Settings, path: Path | None = None, now: datetime | None = None) -> list[str]:
    """Return what works but is hardly meant: a certificate for another name or near its end, names nobody can prove."""
    found = [*_certificate_warnings(settings, now or datetime.now(UTC)), *_client_name_warnings(settings)]
    return _located(path, found)


def _located(path: Path | None, found: Iterable[str]) -> list[str]:
    return [f"{path}: {fault}" if path else fault for fault in found]


def redis_away(error: SpoolError) -> str:
    """Return the line for a Redis that does not answer as it should."""
    return f"redis.url: {str(error).removeprefix('Redis: ').rstrip('.')}: start Redis there, or correct the address"


def _local_faults(settings: Settings) -> Iterator[str]:
    yield from _tls_faults(settings)
    yield from _smart_host_faults(settings)
    yield from _listen_faults(settings)
    yield from _redis_url_faults(settings)
    yield from faults(settings.systems)
    yield from _map_faults(settings)


def _map_faults(settings: Settings) -> Iterator[str]:
    if settings.addresses.map is None:
        return
    try:
        address_map = AddressMapFile(settings.addresses.map).current()
    except ConfigurationError as error:
        found = list(error.faults)
    else:
        found = map_faults(settings.systems, address_map, str(settings.addresses.map))
    for fault in found:
        yield f"addresses.map: {fault}"


def _tls_faults(settings: Settings) -> Iterator[str]:
    tls, listen_tls = settings.ingress.tls, settings.ingress.listen_tls
    if (tls.certificate is None) != (tls.key is None):
        yield "ingress.tls: certificate and key go together: name both"
    elif tls.certificate is None and tls.mode == "required":
        yield "ingress.tls.mode: required, but there is no certificate: name certificate and key"
    elif tls.certificate is None and listen_tls:
        yield "ingress.listen_tls: listens for TLS, but there is no certificate: name ingress.tls.certificate and key"
    elif tls.certificate and (tls.mode != "none" or listen_tls):
        try:
            server_context(tls)
        except ConfigurationError as error:
            yield str(error)


def _smart_host_faults(settings: Settings) -> Iterator[str]:
    for i, system in enumerate(settings.systems):
        for j, host in enumerate(system.smart_hosts):
            if host.tls != "none":
                try:
                    client_context(host)
                except ConfigurationError as error:
                    yield f"systems[{i}].smart_hosts[{j}].{error}"


def _listen_faults(settings: Settings) -> Iterator[str]:
    named = [
        *(("ingress.listen", one) for one in settings.ingress.listen),
        *(("ingress.listen_tls", one) for one in settings.ingress.listen_tls),
        *(("http.listen", one) for one in filter(None, [settings.http.listen])),
    ]
    for (key, one), (other_key, other) in combinations(named, 2):
        if _clash(one, other):
            yield f"{other_key}: {other} clashes with {one} of {key}: give each a port of its own"


def _clash(one: str, other: str) -> bool:
    (host, port), (other_host, other_port) = parse_listen(one), parse_listen(other)
    return port == other_port != 0 and (host == other_host or bool(_EVERYWHERE & {host, other_host}))


def _redis_url_faults(settings: Settings) -> Iterator[str]:
    if settings.redis.url == "embedded" or settings.redis.sentinel:
        return
    try:
        open_spool(settings.redis).close()
    except ValueError:
        yield "redis.url: is no address of Redis: write redis://host:port/0, rediss://…, unix:///path or embedded"


def _embedded_outside_up(settings: Settings) -> Iterator[str]:
    if settings.redis.url == "embedded":
        yield "redis.url: embedded works in `causeway up` only: name a Redis, for example redis://127.0.0.1:6379/0"


def _embedded_faults(settings: Settings) -> Iterator[str]:
    if settings.redis.url != "embedded":
        return
    if settings.redis.durability == "replicated":
        yield "redis.durability: an embedded Redis has no replicas: declare fsync, or name a replicated Redis"
    try:
        embedded.find_redis_server()
    except ConfigurationError as error:
        yield f"redis.url: embedded: {error}"


def _redis_faults(settings: Settings) -> Iterator[str]:
    if settings.redis.url == "embedded":
        yield from _embedded_faults(settings)
        return
    try:
        spool = open_spool(settings.redis.model_copy(update={"timeout": PATIENCE}))
    except ValueError:
        return  # told by _redis_url_faults
    try:
        if problem := spool.run(gauge_spool(settings.redis)).problem:
            yield f"redis.durability: {problem}"
    except SpoolError as error:
        yield redis_away(error)
    finally:
        spool.close()


def _expired(settings: Settings, now: datetime) -> Iterator[str]:
    for use, file, _ in certificates(settings):
        try:
            certificate = inspect(file)
        except ConfigurationError:
            continue  # told by the context that could not be built
        if certificate.expires_at <= now:
            yield f"{use}: {file} expired on {certificate.expires_at:%Y-%m-%d}: renew it"
        elif certificate.valid_from > now:
            yield f"{use}: {file} is valid only from {certificate.valid_from:%Y-%m-%d}: set the clock, or wait"


def _certificate_warnings(settings: Settings, now: datetime) -> Iterator[str]:
    tls = settings.ingress.tls
    if tls.certificate is None and tls.mode == "opportunistic":
        yield "ingress.tls: no certificate, so STARTTLS is not offered: name certificate and key, or set mode to none"
    hostname = settings.ingress.hostname or settings.hostname
    for use, file, _ in certificates(settings):
        try:
            certificate = inspect(file)
        except ConfigurationError:
            continue
        if timedelta() < certificate.expires_at - now < WARN:
            yield f"{use}: {file} expires in {certificate.days_left(now)} days: renew it"
        if use == "ingress" and not certificate.covers(hostname):
            names = ", ".join(certificate.names) or "no name at all"
            yield f"{use}: {file} is for {names}, not for {hostname}: clients that verify will refuse it"


def _client_name_warnings(settings: Settings) -> Iterator[str]:
    for i, system in enumerate(settings.systems):
        if system.client_names and not settings.ingress.tls.client_ca:
            yield f"systems[{i}].client_names: nobody can prove a name: name ingress.tls.client_ca"
