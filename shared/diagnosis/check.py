"""Everything that can be known of a configuration before start, one line a fault: file, key, what is wrong, what to do.

Grades: what no service can start with (`faults_before_start`), nor `causeway up` (`faults_to_run_all`,
`occupied_ports`), what is wrong all the same (`check`), what an administrator hardly meant (`warnings`), and what is
not as described around us (`surroundings`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from shared.configuration.endpoint import Endpoint
from shared.configuration.file import DEFAULT_FILE
from shared.configuration.redis import RedisSettings
from shared.configuration.settings import Settings
from shared.diagnosis import dns_names, ports
from shared.diagnosis.ports import SERVICES_OF_UP
from shared.diagnosis.warnings import configuration_warnings
from shared.errors import ConfigurationError, SpoolError
from shared.operations import embedded_redis
from shared.operations.certificates import configured, inspect
from shared.operations.tls import client_context, server_context
from shared.routing.address_map_file import load as load_map
from shared.routing.router import configured_gateway
from shared.routing.topology_faults import faults, map_faults, postmaster_faults
from shared.spool.connect import PATIENCE, open_spool
from shared.spool.gauge import gauge_spool

NO_FILE = f"{DEFAULT_FILE}: not found here: copy causeway.example.yaml to it, or name the file with --config"


def faults_before_start(settings: Settings, path: Path | None = None) -> list[str]:
    """Return what a service cannot start with. Reads files, asks nobody."""
    return _faults(path, settings, [*_local_faults(settings, 1), *_embedded_outside_up(settings)])


def faults_to_run_all(settings: Settings, path: Path | None = None) -> list[str]:
    """Return what `causeway up` cannot start with: as `faults_before_start`, but Redis may be embedded_redis."""
    return _faults(path, settings, [*_local_faults(settings, SERVICES_OF_UP), *_embedded_faults(settings)])


def occupied_ports(settings: Settings, path: Path | None = None) -> list[str]:
    """Return what `causeway up` would listen on and cannot, as things are now."""
    return _faults(path, settings, ports.unavailable(settings, SERVICES_OF_UP))


def check(settings: Settings, path: Path | None = None, now: datetime | None = None) -> list[str]:
    """Return every fault; empty when all is well. Reads files and asks Redis, which may take two seconds."""
    expired = _expired(settings, now or datetime.now(UTC))
    services = _services_here(settings)
    return _faults(path, settings, [*_local_faults(settings, services), *expired, *_redis_faults(settings)])


def warnings(settings: Settings, path: Path | None = None, now: datetime | None = None) -> list[str]:
    """Return what works but is hardly meant, such as a certificate for another name, or a name nobody can prove."""
    found = [*configuration_warnings(settings, now or datetime.now(UTC))]
    if address_pairs(settings) == 0:
        found.append(f"addresses.map: {settings.addresses.map} has no pairs: only the domain rules rewrite addresses")
    return located(path, found)


def surroundings(settings: Settings, path: Path | None = None) -> list[str]:
    """Return what is not as the configuration has it, as things are now: ports in use, hosts without an address.

    It may be a gateway of ours that has the ports, so these are warnings. Takes two seconds where DNS is silent.
    """
    return located(path, [*ports.unavailable(settings, _services_here(settings)), *dns_names.unknown(settings)])


def address_pairs(settings: Settings) -> int | None:
    """Return how many pairs the address map has; None where there is no map that can be used."""
    try:
        return len(load_map(settings.addresses.map)) if settings.addresses.map else None
    except ConfigurationError:
        return None


def _services_here(settings: Settings) -> int:
    """Return how many services this machine runs, as far as the file tells: embedded Redis is for `causeway up`."""
    return SERVICES_OF_UP if settings.redis.url == "embedded" else 1


def _faults(path: Path | None, settings: Settings, found: Iterable[str]) -> list[str]:
    """Return the faults; without file and systems there is one, whatever was found."""
    return located(path, found) if path or settings.systems else [NO_FILE]


def located(path: Path | None, found: Iterable[str]) -> list[str]:
    """Return the lines with the file before them."""
    return [f"{path}: {fault}" if path else fault for fault in found]


def redis_away(settings: RedisSettings, error: SpoolError) -> str:
    """Return the line for a Redis that does not answer as it should."""
    said = str(error).removeprefix("Redis: ").rstrip(".")
    if settings.sentinel and "No master" in said:
        service, nodes = settings.sentinel.service, ", ".join(map(str, settings.sentinel.nodes))
        return f'redis.sentinel: none of {nodes} knows a primary of "{service}": start Sentinel there, or correct it'
    key = "redis.sentinel" if settings.sentinel else "redis.url"
    if re.search(r"password|authentication", said, re.IGNORECASE):
        return f"{key}: {said}: correct user and password"
    return f"{key}: {said}: start Redis there, or correct the address"


def _local_faults(settings: Settings, services: int) -> Iterator[str]:
    yield from _tls_faults(settings)
    yield from _smart_host_faults(settings)
    yield from ports.clashes(settings, services)
    yield from _loop_faults(settings)
    yield from _redis_url_faults(settings)
    yield from faults(settings.systems)
    yield from postmaster_faults(settings.systems, configured_gateway(settings))
    yield from _map_faults(settings)


def _map_faults(settings: Settings) -> Iterator[str]:
    if settings.addresses.map is None:
        for index, system in enumerate(settings.systems):
            if system.recipients == "mapped":
                yield f"systems[{index}].recipients: mapped, but there is no map: name addresses.map, or write any"
        return
    try:
        address_map = load_map(settings.addresses.map)
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


def _loop_faults(settings: Settings) -> Iterator[str]:
    ingress = settings.ingress
    own = [*ingress.listen, *ingress.listen_tls]
    for i, system in enumerate(settings.systems):
        for j, host in enumerate(system.smart_hosts):
            if any(host.port == listen.port and _is_here(host.host or "", listen, settings) for listen in own):
                where = f"{host.host}:{host.port}"
                yield f"systems[{i}].smart_hosts[{j}].host: {where} is this gateway itself: name the mail server"


def _is_here(host: str, listen: Endpoint, settings: Settings) -> bool:
    """Tell whether a host is one that we listen on, or this machine where we listen everywhere."""
    host = "127.0.0.1" if host == "localhost" else host
    ours = {"127.0.0.1", "::1", settings.hostname, settings.ingress.hostname}
    return host == listen.host or (listen.is_every_address and host in ours)


def _redis_url_faults(settings: Settings) -> Iterator[str]:
    if settings.redis.sentinel:
        if "url" in settings.redis.model_fields_set:
            yield "redis: url and sentinel are both given: remove url, Sentinel tells where Redis is"
        return
    if settings.redis.url == "embedded":
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
        embedded_redis.find_redis_server()
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
        yield redis_away(settings.redis, error)
    finally:
        spool.close()


def _expired(settings: Settings, now: datetime) -> Iterator[str]:
    for use, file, _ in configured(settings):
        try:
            certificate = inspect(file)
        except ConfigurationError:
            continue  # told by the context that could not be built
        if certificate.expires_at <= now:
            yield f"{use}: {file} expired on {certificate.expires_at:%Y-%m-%d}: renew it"
        elif certificate.valid_from > now:
            yield f"{use}: {file} is valid only from {certificate.valid_from:%Y-%m-%d}: set the clock, or wait"
