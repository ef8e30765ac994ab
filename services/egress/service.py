"""Egress as a service of the gateway. Importing this loads no library of its own."""

from __future__ import annotations

from shared.runtime.service import Run, Service


def _load() -> Run:
    from services.egress.app import run  # noqa: PLC0415 (aiosmtplib is loaded only where egress runs)

    return run


SERVICE = Service("egress", _load, drain=lambda settings: settings.egress.shutdown_timeout)
