"""Transform as a service of the gateway. Importing this loads no library of its own."""

from __future__ import annotations

from shared.runtime.service import Run, Service


def _load() -> Run:
    from services.transform.app import run  # noqa: PLC0415 (icalendar is loaded only where transform runs)

    return run


SERVICE = Service(
    "transform",
    _load,
    drain=lambda settings: settings.transform.message_timeout,
    silence=lambda settings: settings.transform.message_timeout,
)
