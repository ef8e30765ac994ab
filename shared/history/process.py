"""What happens to the processes that `causeway up` supervises."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from shared.history.base import Event


@dataclass(frozen=True, slots=True)
class ProcessStarted(Event):
    """A child process was started."""

    name = "process.started"

    process: str
    pid: int


@dataclass(frozen=True, slots=True)
class ProcessDied(Event):
    """A child process ended by itself, or could not be started. It is started again in `restart_in_seconds`."""

    name = "process.died"
    level = logging.ERROR

    process: str
    status: str
    restart_in_seconds: float


@dataclass(frozen=True, slots=True)
class ProcessKilled(Event):
    """A child process outlived its time to stop, and was killed."""

    name = "process.killed"
    level = logging.ERROR

    process: str


@dataclass(frozen=True, slots=True)
class DrainStarted(Event):
    """`causeway up` received the stop signal and stops its services in the order in which mail flows."""

    name = "drain.started"
