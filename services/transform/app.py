"""The transform service: builds what a worker needs from the settings, and runs it until it is stopped."""

from __future__ import annotations

import signal
from contextlib import closing
from types import FrameType

from services.transform.dry_run import DryRun, known_systems, system_named, try_out
from services.transform.worker import Worker
from shared.configuration.settings import Settings
from shared.routing.router import CurrentRouter
from shared.runtime.health import Health
from shared.spool.connect import open_spool

__all__ = ["dry_run", "known_systems", "run"]


def run(settings: Settings, health: Health) -> None:
    """Convert messages until SIGTERM or SIGINT. For the main thread. Raises ConfigurationError for an unusable map."""
    router = CurrentRouter.configured(settings)
    with closing(open_spool(settings.redis)) as spool, closing(open_spool(settings.redis)) as renewal_spool:
        worker = Worker(settings, spool, renewal_spool, router, health)

        def stop(_number: int, _frame: FrameType | None) -> None:
            health.drain()
            worker.stop()

        before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            worker.run()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def dry_run(settings: Settings, source: str, destination: str, content: bytes) -> DryRun:
    """Convert the content of one message between two named systems; nothing is stored or sent.

    Raises ConfigurationError for a name that is no system and for an address map that cannot be used.
    """
    router = CurrentRouter.configured(settings).current()
    return try_out(content, system_named(settings, source), system_named(settings, destination), router, settings)
