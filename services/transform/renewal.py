"""Keeps the leases of a batch alive from a thread of its own while the main thread converts."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from types import TracebackType

from shared.errors import SpoolError
from shared.history.worker import LeaseLost, LeasesAbandoned, RenewalFailed
from shared.operations.log import emit
from shared.spool.lease import Lease, renew
from shared.spool.operation import Spool
from shared.spool.schedule import RENEWALS_PER_LEASE


class Renewal:
    """Inside the `with` block the leases are renewed; `lost` has the ids of those that another worker may hold by now.

    spool: for this thread alone, so that a long answer elsewhere delays no renewal. seconds: the length of a lease.
    stuck: returns why the main thread does not move, "" while it does. Where it hangs and no alarm reaches it, the
    leases run out: another worker takes over, and a message that hangs each of them becomes a dead letter, "poison".
    """

    def __init__(self, spool: Spool, leases: Sequence[Lease], seconds: float, stuck: Callable[[], str]) -> None:
        self.lost: frozenset[str] = frozenset()
        self._spool = spool
        self._leases = list(leases)
        self._seconds = seconds
        self._stuck = stuck
        self._settling: frozenset[str] = frozenset()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._renew_until_ended, name="renewal", daemon=True)

    def __enter__(self) -> Renewal:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def settling(self, leases: Sequence[Lease]) -> None:
        """Expect that these are gone soon: they are being settled."""
        self._settling |= {lease.id for lease in leases}

    def _renew_until_ended(self) -> None:
        while not self._ended.wait(self._seconds / RENEWALS_PER_LEASE):
            if cause := self._stuck():
                emit(LeasesAbandoned(len(self._leases), cause))
                return
            try:
                newly_lost = self._spool.run(renew(self._leases, self._seconds))
            except SpoolError as error:
                emit(RenewalFailed(len(self._leases), str(error)))
                continue
            self._leases = [lease for lease in self._leases if lease.id not in newly_lost]
            for id in newly_lost - self._settling:
                emit(LeaseLost(id))
                self.lost |= {id}
