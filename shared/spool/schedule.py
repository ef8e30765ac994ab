"""The upkeep schedule of a worker, for both kinds of client. Any worker does the upkeep for all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from shared.history.worker import QueueReconciled
from shared.operations.log import emit
from shared.spool.operation import Operation
from shared.spool.presence import announce
from shared.spool.upkeep import promote, reclaim, reconcile

UPKEEP_SECONDS = 1.0
"""Interval between checks for due retries and expired leases, see `reclaim`."""
ANNOUNCE_SECONDS = 20.0
RECONCILE_SECONDS = 60.0

RENEWALS_PER_LEASE = 4
"""Three renewals in a row may fail before a lease expires."""

FIRST_WAIT_SECONDS = 0.05
MAX_WAIT_SECONDS = 1.0
"""Short, because a stop request may be noticed only after it."""


def waits_while_unavailable() -> Iterator[float]:
    """Yield the seconds to wait before each retry while Redis is unavailable: endless, growing to a maximum."""
    seconds = FIRST_WAIT_SECONDS
    while True:
        yield seconds
        seconds = min(seconds * 2, MAX_WAIT_SECONDS)


class UpkeepSchedule:
    """The upkeep of a worker's queues.

    max_crashes, lease_seconds: see `reclaim`.
    """

    def __init__(
        self,
        worker: str,
        queues: Sequence[str],
        *,
        max_crashes: int,
        lease_seconds: float,
    ) -> None:
        self._worker = worker
        self._queues = queues
        self._max_crashes = max_crashes
        self._lease_seconds = lease_seconds
        self._is_busy = False
        tasks = (
            (ANNOUNCE_SECONDS, self._announce),
            (UPKEEP_SECONDS, self._return_jobs),
            (RECONCILE_SECONDS, self._reconcile),
        )
        self._tasks = [_Task(seconds, operation) for seconds, operation in tasks]

    def due(self, now: float, *, is_busy: bool) -> Iterator[Operation[None]]:
        """Yield the operations that are due at `now` (monotonic seconds), to be run in turn.

        An operation that raised, so that the next was not asked for, is due again in the next call. is_busy: the state
        to announce.
        """
        self._is_busy = is_busy
        for task in self._tasks:
            if now >= task.due_at:
                yield task.operation()
                task.due_at = now + task.seconds

    def _announce(self) -> Operation[None]:
        yield from announce(self._worker, self._queues, "busy" if self._is_busy else "idle")

    def _return_jobs(self) -> Operation[None]:
        """Requeue the jobs whose retry is due or whose lease has expired."""
        for queue in self._queues:
            yield from promote(queue)
            for event in (yield from reclaim(queue, max_crashes=self._max_crashes, lease_seconds=self._lease_seconds)):
                emit(event)

    def _reconcile(self) -> Operation[None]:
        for queue in self._queues:
            if adopted := (yield from reconcile(queue)):
                emit(QueueReconciled(queue, adopted))


class _Task:
    """An operation to run every so many seconds. due_at: monotonic seconds."""

    def __init__(self, seconds: float, operation: Callable[[], Operation[None]]) -> None:
        self.seconds = seconds
        self.operation = operation
        self.due_at = float("-inf")
