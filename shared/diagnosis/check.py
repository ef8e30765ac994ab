"""Checks of a configuration before start, one line per fault: file, key, what is wrong, what to do.

Grades, from faults that prevent a start to mere information:

    faults_before_start     a service cannot start
    faults_before_up        `causeway up` cannot start
    unavailable_ports       a port that `causeway up` needs is in use, now
    all_faults              also those that do not prevent a start: Redis does not answer, a certificate has expired
    warnings                works, but is probably not intended
    environment_warnings    the environment does not match, now: ports in use, names without an address

`services` is always the names of the services that one machine runs, in the order of their HTTP ports.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from shared.configuration.environment import unknown_variables
from shared.configuration.file import DEFAULT_FILE
from shared.configuration.settings import Settings
from shared.diagnosis import dns_names, ports, redis_faults, tls_faults
from shared.diagnosis.warnings import configuration_warnings
from shared.errors import ConfigurationError
from shared.routing.address_map_file import load as load_map
from shared.routing.router import configured_gateway
from shared.routing.topology_faults import faults, map_faults, postmaster_faults

NO_FILE = f"{DEFAULT_FILE}: not found here: copy causeway.example.yaml to it, or name the file with --config"
ONE_SERVICE = ("this service",)


def faults_before_start(settings: Settings, path: Path | None = None) -> list[str]:
    """Return the faults that prevent a service from starting alone. Reads files, opens no connection."""
    found = [*_local_faults(settings, ONE_SERVICE), *redis_faults.embedded_outside_up(settings.redis)]
    return _faults(path, settings, found)


def faults_before_up(settings: Settings, services: Sequence[str], path: Path | None = None) -> list[str]:
    """Return the faults that prevent `causeway up`: as `faults_before_start`, but Redis may be embedded."""
    return _faults(path, settings, [*_local_faults(settings, services), *redis_faults.embedded_faults(settings.redis)])


def unavailable_ports(settings: Settings, services: Sequence[str], path: Path | None = None) -> list[str]:
    """Return the listen addresses of `causeway up` that are unavailable at present."""
    return _faults(path, settings, ports.unavailable(settings, services))


def all_faults(
    settings: Settings, services: Sequence[str], path: Path | None = None, now: datetime | None = None
) -> list[str]:
    """Return every fault; empty if there is none. Reads files and queries Redis, which may take two seconds."""
    found = [
        *_local_faults(settings, _services_here(settings, services)),
        *tls_faults.validity_faults(settings, now or datetime.now(UTC)),
        *redis_faults.answer_faults(settings.redis),
    ]
    return _faults(path, settings, found)


def warnings(settings: Settings, path: Path | None = None, now: datetime | None = None) -> list[str]:
    """Return settings that work but are probably not intended, such as a certificate for another name."""
    found = [*configuration_warnings(settings, now or datetime.now(UTC))]
    if address_pairs(settings) == 0:
        found.append(f"addresses.map: {settings.addresses.map} has no pairs: only the domain rules rewrite addresses")
    return [*located(path, found), *unknown_variables()]


def environment_warnings(settings: Settings, services: Sequence[str], path: Path | None = None) -> list[str]:
    """Return conflicts of configuration and environment at present: ports in use, hosts without an address.

    This gateway may be using the ports itself, so these are warnings. Takes two seconds if DNS does not answer.
    """
    here = _services_here(settings, services)
    return located(path, [*ports.unavailable(settings, here), *dns_names.unknown(settings)])


def address_pairs(settings: Settings) -> int | None:
    """Return how many pairs the address map has; None without a valid map."""
    try:
        return len(load_map(settings.addresses.map)) if settings.addresses.map else None
    except ConfigurationError:
        return None


def located(path: Path | None, found: Iterable[str]) -> list[str]:
    """Return the lines with the file before them."""
    return [f"{path}: {fault}" if path else fault for fault in found]


def _services_here(settings: Settings, services: Sequence[str]) -> Sequence[str]:
    """Return the services that this machine runs, judged by the file: embedded Redis is for `causeway up`."""
    return services if settings.redis.is_embedded else ONE_SERVICE


def _faults(path: Path | None, settings: Settings, found: Iterable[str]) -> list[str]:
    """Return the faults; if there is neither a file nor a system, only that fault."""
    return located(path, found) if path or settings.systems else [NO_FILE]


def _local_faults(settings: Settings, services: Sequence[str]) -> Iterator[str]:
    yield from tls_faults.server_faults(settings)
    yield from tls_faults.client_faults(settings)
    yield from ports.clashes(settings, services)
    yield from ports.loops(settings)
    yield from redis_faults.access_faults(settings.redis)
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
