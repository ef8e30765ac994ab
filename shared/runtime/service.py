"""What the command line, `causeway up` and a supervisor need to know of a service: its `Service` value.

Each service has its own in `services/<name>/service.py`; `services/all_services.py` lists them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from shared.configuration.settings import Settings
from shared.runtime.extras import needs_extra
from shared.runtime.health import LIVE_SECONDS, Health
from shared.runtime.reload import CurrentSettings

DRAIN_GRACE_SECONDS = 10.0
"""What a service may take to end beyond its own time limit: closing connections, the last settlement."""

Run = Callable[[CurrentSettings, Health], None]
"""Runs a service until SIGTERM or SIGINT; on SIGHUP it takes over what it can of new settings.

It builds its adapters, calls `health.beat()` in its loop, on a signal calls `health.drain()`, finishes what is in hand
and returns. Raises ConfigurationError or SpoolError for what an administrator has to correct.
"""


def _no_time(_settings: Settings) -> timedelta:
    return timedelta()


@dataclass(frozen=True, slots=True)
class Service:
    """One service of the gateway.

    name: its command, its package below `services`, its extra and its image. load: imports the service's libraries and
    returns what runs it. drain: how long it may finish what is in hand after SIGTERM. silence: how long its loop may be
    silent over one message, beyond the LIVE_SECONDS that every loop has.
    """

    name: str
    load: Callable[[], Run]
    drain: Callable[[Settings], timedelta]
    silence: Callable[[Settings], timedelta] = _no_time

    def check_libraries(self) -> None:
        """Raise ConfigurationError, which names the extra to install, where a library of the service is missing."""
        with needs_extra(self.name):
            self.load()

    def drain_seconds(self, settings: Settings) -> float:
        """Return how long it may take to end after SIGTERM, the grace included."""
        return self.drain(settings).total_seconds() + DRAIN_GRACE_SECONDS

    def live_seconds(self, settings: Settings) -> float:
        """Return the silence of its loop that means that it is stuck."""
        return LIVE_SECONDS + self.silence(settings).total_seconds()
