"""What happens to the spool, as a service sees it."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from shared.history.base import Event


@dataclass(frozen=True, slots=True)
class SpoolFailed(Event):
    """Redis is unavailable, or less durable than declared. id: of the message that could not be accepted."""

    name = "spool.failed"
    level = logging.ERROR

    cause: str
    id: str | None = None


@dataclass(frozen=True, slots=True)
class SpoolRecovered(Event):
    """Redis answers again. failures: requests that failed meanwhile."""

    name = "spool.recovered"

    failures: int


@dataclass(frozen=True, slots=True)
class LoadCrashed(Event):
    """Reading the load of the spool met a bug; ingress defers until it can be read. The log has the traceback."""

    name = "load.crashed"
    level = logging.ERROR
