"""The transform worker: leases a batch of messages, converts each under a time limit, settles the batch in one write.

One synchronous loop in the main thread (the time limit is an alarm), beside a thread that renews leases while it works.
Whatever happens to a message becomes a settlement; whatever happens to Redis is waited out. A worker that is killed
loses nothing: its leases run out and another worker takes over.
"""

from __future__ import annotations

import logging
import secrets
import socket
import time
from collections.abc import Callable, Sequence

from services.transform.renewal import Renewal
from services.transform.settlement import settlement_of, tell
from shared.configuration.settings import Settings
from shared.errors import SpoolError
from shared.operations.events import emit
from shared.routing.router import CurrentRouter
from shared.runtime.health import Health
from shared.spool import keys
from shared.spool.lease import LeasedMessage, contents, lease_messages, release, wait_for_work
from shared.spool.memory import recall
from shared.spool.operation import Operation, Spool
from shared.spool.presence import announce, retire
from shared.spool.settle import Settlement, settle
from shared.spool.upkeep import promote, reclaim, reconcile

QUEUES = (keys.TRANSFORM,)

IDLE_SECONDS = 1.0
UPKEEP_SECONDS = 1.0
ANNOUNCE_SECONDS = 20.0
RECONCILE_SECONDS = 60.0

FIRST_WAIT_SECONDS = 0.05
LONGEST_WAIT_SECONDS = 1.0
"""Between two tries while Redis is away; short, since a stop is noticed only after it."""


class Every:
    """Whether something that is done every so many seconds is due; asking says that it is done now."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._last = float("-inf")

    def due(self, now: float) -> bool:
        """Return whether it is due at `now`, monotonic seconds."""
        if now - self._last < self._seconds:
            return False
        self._last = now
        return True


class Worker:
    """Converts messages until `stop`. `renewal_spool` is a second connection, for the thread that renews."""

    def __init__(
        self, settings: Settings, spool: Spool, renewal_spool: Spool, router: CurrentRouter, health: Health
    ) -> None:
        self.name = f"transform-{socket.gethostname()}-{secrets.token_hex(4)}"
        self.stopping = False
        self._settings = settings
        self._spool = spool
        self._renewal_spool = renewal_spool
        self._router = router
        self._health = health
        self._is_busy = False
        self._upkeep = Every(UPKEEP_SECONDS)
        self._announcement = Every(ANNOUNCE_SECONDS)
        self._reconciliation = Every(RECONCILE_SECONDS)

    def stop(self) -> None:
        """Finish the message at hand, settle what is done, give back the rest. May be called from a signal handler."""
        self.stopping = True

    def run(self) -> None:
        """Work until stopped."""
        emit("worker.started", worker=self.name)
        while not self.stopping:
            self._health.beat()
            self._outlast(self._turn)
        self._last_word(retire(self.name, QUEUES))
        emit("worker.stopped", worker=self.name)

    def _turn(self) -> None:
        self._look_after(time.monotonic())
        batch = self._spool.run(
            lease_messages(
                self.name,
                max_jobs=self._settings.transform.batch,
                max_bytes=self._settings.transform.batch_bytes,
                seconds=self._lease_seconds,
            )
        )
        self._is_busy = bool(batch)
        if batch:
            self.work(batch)
        else:
            patience = self._settings.redis.timeout.total_seconds() / 2
            self._spool.run(wait_for_work(QUEUES, min(IDLE_SECONDS, patience)))

    def work(self, batch: Sequence[LeasedMessage]) -> None:
        """Convert a leased batch and settle it; messages that a stop left undone go back to the queue."""
        leases = [leased.lease for leased in batch]
        with Renewal(self._renewal_spool, leases, self._lease_seconds, self._health.live) as renewal:
            originals: list[bytes | None] = []
            self._outlast(lambda: originals.extend(self._spool.run(contents([one.lease.id for one in batch]))))
            settlements: list[Settlement] = []
            undone = [leased.lease for leased in batch[len(originals) :]]
            for leased, content in zip(batch, originals, strict=False):
                if leased.lease.id not in renewal.lost:
                    made = [] if self.stopping else self._settlement_of(leased, content)
                    settlements += made
                    undone += [] if made else [leased.lease]
                self._health.beat()
            kept = [settlement for settlement in settlements if settlement.lease.id not in renewal.lost]
            self._outlast(lambda: self._settle(kept))
        self._last_word(release(undone))

    def _settlement_of(self, leased: LeasedMessage, content: bytes | None) -> list[Settlement]:
        """Return the settlement, or nothing where a stop came while Redis, asked for a memory, was away."""
        made: list[Settlement] = []
        router = self._router.current()

        def convert() -> None:
            made.append(
                settlement_of(
                    leased,
                    content,
                    router,
                    self._settings,
                    now=time.time(),
                    recall=lambda key: self._spool.run(recall(key)),
                )
            )

        self._outlast(convert)
        return made

    def _settle(self, settlements: Sequence[Settlement]) -> None:
        stale = self._spool.run(
            settle(
                settlements,
                max_crashes=self._settings.transform.max_crashes,
                history_seconds=self._settings.redis.history.total_seconds(),
            )
        )
        for settlement in settlements:
            if settlement.lease.id in stale:
                emit("message.stale", settlement.lease.id, level=logging.WARNING)
            else:
                tell(settlement)

    def _look_after(self, now: float) -> None:
        """Do what any worker does for all of them: due retries, expired leases, messages without a job."""
        transform = self._settings.transform
        if self._announcement.due(now):
            self._spool.run(announce(self.name, QUEUES, "busy" if self._is_busy else "idle"))
        if self._upkeep.due(now):
            self._spool.run(promote(keys.TRANSFORM))
            for id in self._spool.run(
                reclaim(keys.TRANSFORM, max_crashes=transform.max_crashes, lease_seconds=self._lease_seconds)
            ):
                emit("message.interrupted", id, level=logging.WARNING)
        if self._reconciliation.due(now) and (adopted := self._spool.run(reconcile(keys.TRANSFORM))):
            emit("queue.reconciled", level=logging.WARNING, queue=keys.TRANSFORM, messages=adopted)

    def _outlast(self, action: Callable[[], None]) -> None:
        """Try until Redis takes it, or a stop comes. To try twice is safe: the record decides."""
        wait, failures = FIRST_WAIT_SECONDS, 0
        while True:
            try:
                action()
            except SpoolError as error:
                failures += 1
                if failures == 1:
                    emit("spool.failed", level=logging.ERROR, cause=str(error))
                if self.stopping:
                    return
                self._health.beat()
                time.sleep(wait)
                wait = min(wait * 2, LONGEST_WAIT_SECONDS)
            else:
                if failures:
                    emit("spool.recovered", failures=failures)
                return

    def _last_word(self, operation: Operation[None]) -> None:
        """Tell Redis what only spares others a wait; without it leases and registrations run out by themselves."""
        try:
            self._spool.run(operation)
        except SpoolError as error:
            emit("spool.failed", level=logging.WARNING, cause=str(error))

    @property
    def _lease_seconds(self) -> float:
        return self._settings.transform.lease.total_seconds()
