"""Faults of TLS: certificates, keys and CA files that are missing, cannot be used, or have expired."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from shared.configuration.settings import Settings
from shared.errors import ConfigurationError
from shared.operations.certificates import configured, inspect
from shared.operations.tls import client_context, server_context


def server_faults(settings: Settings) -> Iterator[str]:
    """Yield why ingress cannot offer TLS as configured."""
    tls, listen_tls = settings.ingress.tls, settings.ingress.listen_tls
    if (tls.certificate is None) != (tls.key is None):
        yield "ingress.tls: certificate and key go together: set both"
    elif tls.certificate is None and tls.mode == "required":
        yield "ingress.tls.mode: required, but there is no certificate: set certificate and key"
    elif tls.certificate is None and listen_tls:
        yield "ingress.listen_tls: needs a certificate: set ingress.tls.certificate and ingress.tls.key"
    elif tls.certificate and (tls.mode != "none" or listen_tls):
        try:
            server_context(tls)
        except ConfigurationError as error:
            yield str(error)


def client_faults(settings: Settings) -> Iterator[str]:
    """Yield why egress cannot speak TLS to a smart host as configured."""
    for i, system in enumerate(settings.systems):
        for j, host in enumerate(system.smart_hosts):
            if host.tls != "none":
                try:
                    client_context(host)
                except ConfigurationError as error:
                    yield f"systems[{i}].smart_hosts[{j}].{error}"


def validity_faults(settings: Settings, now: datetime) -> Iterator[str]:
    """Yield a fault for each certificate that has expired or is not valid yet; services start nevertheless."""
    for use, file, _ in configured(settings):
        try:
            certificate = inspect(file)
        except ConfigurationError:
            continue  # reported by server_faults or client_faults
        if certificate.expires_at <= now:
            yield f"{use}: {file} expired on {certificate.expires_at:%Y-%m-%d}: renew it"
        elif certificate.valid_from > now:
            yield f"{use}: {file} is not valid before {certificate.valid_from:%Y-%m-%d}: correct the clock, or wait"
