"""Settings that work but are probably not intended: one line each, with key, reason, and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from shared.configuration.settings import Settings
from shared.configuration.smart_hosts import SmartHost
from shared.diagnosis.reach import warnings_of_reach
from shared.errors import ConfigurationError
from shared.operations.certificates import configured, inspect

NO_HOSTNAMES = ("localhost", "localhost.localdomain")
"""The default, and what machines without a name are called."""
WARN = timedelta(days=21)
"""A certificate that expires sooner is reported: automatic renewal should have replaced it by then."""


def configuration_warnings(settings: Settings, now: datetime) -> Iterator[str]:
    """Yield a line for each warning. Reads files, opens no connection."""
    yield from _certificates(settings, now)
    yield from _senders(settings)
    yield from _ignored(settings)
    yield from _differing_limits(settings)
    yield from _weights(settings)
    yield from warnings_of_reach(settings)
    if settings.hostname in NO_HOSTNAMES:
        yield (
            f"hostname: {settings.hostname} is what other servers see in greetings and reports, and many refuse it: "
            "set the name of this gateway, for example mx.example.com"
        )


def _certificates(settings: Settings, now: datetime) -> Iterator[str]:
    tls = settings.ingress.tls
    if tls.certificate is None and tls.mode == "opportunistic":
        yield "ingress.tls: no certificate, so STARTTLS is not offered: set certificate and key, or set mode to none"
    hostname = settings.ingress.hostname or settings.hostname
    for use, file, _ in configured(settings):
        try:
            certificate = inspect(file)
        except ConfigurationError:
            continue
        if timedelta() < certificate.expires_at - now < WARN:
            yield f"{use}: {file} expires in {certificate.days_left(now)} days: renew it"
        if use == "ingress" and not certificate.names:
            yield (
                f"{use}: {file} has no subject alternative name, only {certificate.subject}, which clients ignore: "
                f"have it issued for the DNS name {hostname}"
            )
        elif use == "ingress" and not certificate.covers(hostname):
            names = ", ".join(certificate.names)
            yield f"{use}: {file} is for {names}, not for {hostname}: clients that verify it will refuse to connect"


def _senders(settings: Settings) -> Iterator[str]:
    for i, system in enumerate(settings.systems):
        if not system.networks and not system.client_names:
            yield f"systems[{i}]: no client is recognized as {system.name}: set networks or client_names"
        if system.client_names and not settings.ingress.tls.client_ca:
            yield f"systems[{i}].client_names: client_names needs ingress.tls.client_ca: set it, or use networks"


def _ignored(settings: Settings) -> Iterator[str]:
    for i, system in enumerate(settings.systems):
        for j, host in enumerate(system.smart_hosts):
            for key in ("ca", "name"):
                if getattr(host, key) and host.tls != "verify":
                    yield f"systems[{i}].smart_hosts[{j}].{key}: is ignored with tls: {host.tls}: set tls to verify"


def _differing_limits(settings: Settings) -> Iterator[str]:
    """Yield a line for each host that is listed again with other limits: its limits are counted together."""
    first: dict[tuple[str, int], tuple[str, SmartHost]] = {}
    for i, system in enumerate(settings.systems):
        for j, host in enumerate(system.smart_hosts):
            where = f"systems[{i}].smart_hosts[{j}]"
            place, before = first.setdefault(((host.host or host.mx or "").lower(), host.port), (where, host))
            for key in ("max_connections", "messages_per_minute"):
                if getattr(host, key) != getattr(before, key):
                    yield f"{where}.{key}: differs from {place}, which is the same host: use the same value for both"


def _weights(settings: Settings) -> Iterator[str]:
    """Yield a line for each weight of 0, which is rarely meant as it works (RFC 2782)."""
    for i, system in enumerate(settings.systems):
        for j, host in enumerate(system.smart_hosts):
            if host.weight:
                continue
            rivals = [
                other
                for other in system.smart_hosts
                if other is not host and (other.mx or host.mx or other.preference == host.preference)
            ]
            if not rivals:
                meaning = "has no effect on a host without another of its preference"
            elif any(rival.weight for rival in rivals):
                meaning = "is about one message in a thousand beside a host of the same preference that has a weight"
            else:
                meaning = "on every host of a preference is an equal share"
            yield (
                f"systems[{i}].smart_hosts[{j}].weight: 0 {meaning}: write 1 or more; "
                "for a reserve give a higher preference; to use it no more, remove it"
            )
