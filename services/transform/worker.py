"""The transform worker: leases a batch of messages, converts each within a time limit, settles the batch in one write.

One synchronous loop in the main thread (the time limit is an alarm), beside a thread that renews leases while it works.
Every result of a message becomes a settlement; failures of Redis are waited out. If a worker is killed, no message is
lost: its leases expire and another worker takes over.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from services.transform.renewal import Renewal
from services.transform.settlement import settlement_of
from shared.configuration.settings import Settings
from shared.errors import SpoolError
from shared.history.spool import SpoolFailed, SpoolRecovered
from shared.history.worker import WorkerStarted, WorkerStopped
from shared.operations.log import emit
from shared.routing.router import CurrentRouter
from shared.runtime.health import Health
from shared.spool import keys
from shared.spool.lease import LeasedMessage, contents, lease_messages, release, wait_for_work
from shared.spool.memory import recall
from shared.spool.operation import Operation, Spool
from shared.spool.presence import Shift, State, retire, worker_name
from shared.spool.schedule import UpkeepSchedule, waits_while_unavailable
from shared.spool.settlement import Settlement, spooled_bytes
from shared.spool.write_settlements import log_settlement, write_settlements

QUEUES = (keys.TRANSFORM,)

IDLE_SECONDS = 1.0
"""How long one request for work may wait in Redis."""

SETTLE_SECONDS = 0.5
SETTLE_BYTES = 16 * 1024 * 1024
"""Limits after which a part of a batch is settled early: neighbours of a slow message need not wait for it, and the
arguments of a script stay bounded."""


@dataclass(slots=True)
class Converted:
    """What of a batch is converted and not settled yet. since: monotonic seconds of its start."""

    since: float
    settlements: list[Settlement] = field(default_factory=list)

    def is_due(self, now: float) -> bool:
        """Whether it is to be settled before the batch is done: it is large, or a slow message made the rest wait."""
        return now - self.since > SETTLE_SECONDS or sum(map(spooled_bytes, self.settlements)) > SETTLE_BYTES


Reloaded = Callable[[], tuple[Settings, CurrentRouter] | None]
"""Reads settings and address map again; None where they cannot be used."""


class Worker:
    """Converts messages until `stop`. `renewal_spool` is a second connection, for the thread that renews.

    reloaded: called before the next batch after a `reload`.
    """

    def __init__(
        self,
        settings: Settings,
        spool: Spool,
        renewal_spool: Spool,
        router: CurrentRouter,
        health: Health,
        *,
        reloaded: Reloaded = lambda: None,
    ) -> None:
        self.name = worker_name("transform")
        self.stopping = False
        self._reloading = False
        self._reloaded = reloaded
        self._settings = settings
        self._spool = spool
        self._renewal_spool = renewal_spool
        self._router = router
        self._health = health
        self._is_busy = False
        self._upkeep = UpkeepSchedule(
            self.name,
            QUEUES,
            max_crashes=settings.transform.max_crashes,
            lease_seconds=self._lease_seconds,
        )

    def stop(self) -> None:
        """Finish the message at hand, settle what is done, give back the rest. May be called from a signal handler."""
        self.stopping = True

    def reload(self) -> None:
        """Read settings and address map again before the next batch. May be called from a signal handler."""
        self._reloading = True

    def run(self) -> None:
        """Work until stopped."""
        emit(WorkerStarted(self.name))
        while not self.stopping:
            self._health.beat()
            if self._reloading:
                self._reloading = False
                self._settings, self._router = self._reloaded() or (self._settings, self._router)
            self._outlast(self._turn)
        self._try_once(retire(self.name, QUEUES))
        emit(WorkerStopped(self.name))

    def _turn(self) -> None:
        self._do_upkeep()
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
            self._outlast(lambda: originals.extend(self._spool.run(contents([leased.lease.id for leased in batch]))))
            undone = [leased.lease for leased in batch[len(originals) :]]
            converted = Converted(time.monotonic())
            for leased, content in zip(batch, originals, strict=False):
                if leased.lease.id not in renewal.lost:
                    made = [] if self.stopping else self._settlement_of(leased, content)
                    converted.settlements += made
                    undone += [] if made else [leased.lease]
                self._health.beat()
                if converted.is_due(time.monotonic()):
                    self._settle_kept(converted, renewal, "busy")
                    converted = Converted(time.monotonic())
            self._settle_kept(converted, renewal, "idle")
        self._try_once(release(undone))

    def _settle_kept(self, converted: Converted, renewal: Renewal, state: State) -> None:
        """Settle what is still leased to this worker. state: of the worker afterwards."""
        kept = [settlement for settlement in converted.settlements if settlement.lease.id not in renewal.lost]
        renewal.settling([settlement.lease for settlement in kept])
        shift = Shift(self.name, time.monotonic() - converted.since, state)
        self._outlast(lambda: self._settle(kept, shift))

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

    def _settle(self, settlements: Sequence[Settlement], shift: Shift) -> None:
        written = self._spool.run(
            write_settlements(
                settlements,
                max_crashes=self._settings.transform.max_crashes,
                history_seconds=self._settings.redis.history.total_seconds(),
                shift=shift,
            )
        )
        for settlement in settlements:
            log_settlement(settlement, written.get(settlement.lease.id))

    def _do_upkeep(self) -> None:
        for operation in self._upkeep.due(time.monotonic(), is_busy=self._is_busy):
            self._spool.run(operation)

    def _outlast(self, action: Callable[[], None]) -> None:
        """Retry until Redis accepts it or the worker is stopped. A repeated write is safe: the record decides."""
        failures = 0
        for seconds in waits_while_unavailable():
            try:
                action()
            except SpoolError as error:
                failures += 1
                if failures == 1:
                    emit(SpoolFailed(str(error)))
                if self.stopping:
                    return
                self._health.beat()
                time.sleep(seconds)
            else:
                if failures:
                    emit(SpoolRecovered(failures))
                return

    def _try_once(self, operation: Operation[None]) -> None:
        """Run an operation that only saves other workers a wait; without it leases and registrations expire."""
        try:
            self._spool.run(operation)
        except SpoolError as error:
            emit(SpoolFailed(str(error)))

    @property
    def _lease_seconds(self) -> float:
        return self._settings.transform.lease.total_seconds()
