"""What works but is hardly meant: each a line with key, what is odd, what to do."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from shared.configuration.settings import Settings
from shared.configuration.systems import SmartHost
from shared.errors import ConfigurationError
from shared.operations.certificates import configured, inspect

WARN = timedelta(days=21)
"""A certificate with less left is told of: by then an automatic renewal should have happened."""


def configuration_warnings(settings: Settings, now: datetime) -> Iterator[str]:
    """Yield a line for each oddity. Reads files, asks nobody."""
    yield from _certificates(settings, now)
    yield from _senders(settings)
    yield from _ignored(settings)
    yield from _differing_limits(settings)


def _certificates(settings: Settings, now: datetime) -> Iterator[str]:
    tls = settings.ingress.tls
    if tls.certificate is None and tls.mode == "opportunistic":
        yield "ingress.tls: no certificate, so STARTTLS is not offered: name certificate and key, or set mode to none"
    hostname = settings.ingress.hostname or settings.hostname
    for use, file, _ in configured(settings):
        try:
            certificate = inspect(file)
        except ConfigurationError:
            continue
        if timedelta() < certificate.expires_at - now < WARN:
            yield f"{use}: {file} expires in {certificate.days_left(now)} days: renew it"
        if use == "ingress" and not certificate.covers(hostname):
            names = ", ".join(certificate.names) or "no name at all"
            yield f"{use}: {file} is for {names}, not for {hostname}: clients that verify will refuse it"


def _senders(settings: Settings) -> Iterator[str]:
    for i, system in enumerate(settings.systems):
        if not system.networks and not system.client_names:
            yield f"systems[{i}]: no client can speak for {system.name}: name its networks, or client_names"
        if system.client_names and not settings.ingress.tls.client_ca:
            yield f"systems[{i}].client_names: nobody can prove a name: name ingress.tls.client_ca"


def _ignored(settings: Settings) -> Iterator[str]:
    for i, system in enumerate(settings.systems):
        for j, host in enumerate(system.smart_hosts):
            for key in ("ca", "name"):
                if getattr(host, key) and host.tls != "verify":
                    yield f"systems[{i}].smart_hosts[{j}].{key}: is ignored under tls {host.tls}: set tls to verify"


def _differing_limits(settings: Settings) -> Iterator[str]:
    """Yield a line for each host that is named again with other limits, since what goes there is counted together."""
    first: dict[tuple[str, int], tuple[str, SmartHost]] = {}
    for i, system in enumerate(settings.systems):
        for j, host in enumerate(system.smart_hosts):
            where = f"systems[{i}].smart_hosts[{j}]"
            place, before = first.setdefault(((host.host or host.mx or "").lower(), host.port), (where, host))
            for key in ("max_connections", "messages_per_minute"):
                if getattr(host, key) != getattr(before, key):
                    yield f"{where}.{key}: differs from {place}, which is the same host: give both the same"
