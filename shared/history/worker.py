"""What happens to workers, their leases and queues."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from shared.history.base import Event


@dataclass(frozen=True, slots=True)
class WorkerStarted(Event):
    """A worker begins to lease. systems: those that it delivers to."""

    name = "worker.started"

    worker: str
    systems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WorkerStopped(Event):
    """A worker has ended in order."""

    name = "worker.stopped"

    worker: str


@dataclass(frozen=True, slots=True)
class WorkerDrainTimedOut(Event):
    """A stopping worker reached `shutdown_timeout`; what was left was stopped. in_hand: deliveries left."""

    name = "worker.drain_timed_out"
    level = logging.WARNING

    in_hand: int


@dataclass(frozen=True, slots=True)
class LeaseLost(Event):
    """A message's lease was lost while its batch was converted. id: of the message."""

    name = "lease.lost"
    level = logging.WARNING

    id: str


@dataclass(frozen=True, slots=True)
class LeasesAbandoned(Event):
    """Leases are renewed no more, because the worker hangs. leases: how many."""

    name = "leases.abandoned"
    level = logging.ERROR

    leases: int
    cause: str


@dataclass(frozen=True, slots=True)
class RenewalFailed(Event):
    """Redis did not renew leases; the next renewal may. leases: how many."""

    name = "renewal.failed"
    level = logging.WARNING

    leases: int
    cause: str


@dataclass(frozen=True, slots=True)
class QueueReconciled(Event):
    """Records that waited for a queue without a job were given one. jobs: how many."""

    name = "queue.reconciled"
    level = logging.WARNING

    queue: str
    jobs: int


@dataclass(frozen=True, slots=True)
class RetriesFlushed(Event):
    """A smart host is usable again, so retries to its system were brought forward. deliveries: how many."""

    name = "retries.flushed"

    system: str
    deliveries: int
