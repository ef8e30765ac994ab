"""The transform service: builds what a worker needs from the settings, and runs it until it is stopped."""

from __future__ import annotations

import signal
from contextlib import closing
from functools import partial
from types import FrameType

from services.transform.dry_run import DryRun, known_systems, system_named, try_out
from services.transform.worker import Worker
from shared.configuration.settings import Settings
from shared.operations import hangup
from shared.routing.router import CurrentRouter
from shared.runtime.health import Health
from shared.runtime.reload import CurrentSettings
from shared.spool.connect import open_spool

__all__ = ["dry_run", "known_systems", "run"]


def run(current: CurrentSettings, health: Health) -> None:
    """Convert messages until SIGTERM or SIGINT. For the main thread. Raises ConfigurationError for an unusable map.

    On SIGHUP settings and map are read again before the next batch.
    """
    settings = current.settings
    router = CurrentRouter.configured(settings)
    with closing(open_spool(settings.redis)) as spool, closing(open_spool(settings.redis)) as renewal_spool:
        worker = Worker(settings, spool, renewal_spool, router, health, reloaded=partial(_reloaded, current))

        def stop(_number: int, _frame: FrameType | None) -> None:
            health.drain()
            worker.stop()

        def reload(_number: int, _frame: FrameType | None) -> None:
            worker.reload()

        handlers = {signal.SIGTERM: stop, signal.SIGINT: stop, signal.SIGHUP: reload}
        before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
        hangup.let_in()
        try:
            worker.run()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _reloaded(current: CurrentSettings) -> tuple[Settings, CurrentRouter] | None:
    """Return settings and router as the files are now; None where these cannot be used, which is logged."""
    candidate = current.read(CurrentRouter.configured)
    return (candidate.merged.settings, current.take(candidate)) if candidate else None


def dry_run(settings: Settings, source: str, destination: str, content: bytes) -> DryRun:
    """Convert the content of one message between two named systems; nothing is stored or sent.

    Raises ConfigurationError for a name that is no system and for an address map that cannot be used.
    """
    router = CurrentRouter.configured(settings).current()
    return try_out(content, system_named(settings, source), system_named(settings, destination), router, settings)
