"""Ingress as a service of the gateway. Importing this loads no library of its own."""

from __future__ import annotations

from shared.runtime.service import Run, Service


def _load() -> Run:
    from services.ingress.app import run  # noqa: PLC0415 (aiosmtpd is loaded only where ingress runs)

    return run


SERVICE = Service("ingress", _load, drain=lambda settings: settings.ingress.shutdown_timeout)
