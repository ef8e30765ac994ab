"""Which smart hosts are marked down, and for how long: shared by all replicas, with exponential back-off.

A failed host is marked down. When its mark has run out, one replica claims the right to probe it; for all others
it stays down until the probe succeeds. So no message waits for a dead host after the first. A probe that succeeds
makes the host usable; only mail that it takes makes it forget its failures.

Mail that no host accepted need not wait for its next attempt when one is back: the replica whose probe succeeded brings
the system's waiting deliveries forward, so many a second.
"""

from __future__ import annotations

import json
import math
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from random import Random
from typing import Literal

from services.egress.balance import Host
from shared.configuration.egress import EgressSettings
from shared.errors import SpoolError
from shared.history.host import HostFailed, HostMarkedDown, HostMarkedUp
from shared.history.worker import RetriesFlushed
from shared.operations import metrics
from shared.operations.log import emit
from shared.spool import keys
from shared.spool.host_health import read_host_health, replace_host_health
from shared.spool.operation import AsyncSpool
from shared.spool.retries import flush_retries

JITTER = 0.2
"""A fraction of the mark, so that the hosts of a tier are not probed all at once."""

What = Literal["failed", "answered", "delivered", "probing"]


@dataclass(frozen=True, slots=True)
class HostHealth:
    """failures: in a row, since the host last took mail. down_until: seconds since the epoch, 0 while it is usable."""

    failures: int = 0
    down_until: float = 0.0


WELL = HostHealth()


@dataclass(frozen=True, slots=True)
class Backoff:
    """Seconds a host is marked down: after the first failure, at most, and while it is being probed."""

    first: float
    longest: float
    probe: float

    @classmethod
    def of(cls, settings: EgressSettings) -> Backoff:
        """Return what the settings say; a probe may take a connection and some replies."""
        probe = settings.connect_timeout.total_seconds() * 3
        return cls(settings.host_down.total_seconds(), settings.host_down_longest.total_seconds(), probe)


def next_health(health: HostHealth, what: What, now: float, backoff: Backoff, random: Random) -> HostHealth:
    """Return a host's health after what happened to it. Pure.

    A failure while it is already marked down and not being probed was begun before the mark, and prolongs nothing.
    """
    match what:
        case "delivered":
            return WELL
        case "answered":
            return HostHealth(health.failures, 0.0)
        case "probing":
            return HostHealth(health.failures, now + backoff.probe)
        case "failed":
            wait = _wait_seconds(health.failures + 1, backoff)
            return HostHealth(health.failures + 1, now + wait * random.uniform(1 - JITTER, 1 + JITTER))


def _wait_seconds(failures: int, backoff: Backoff) -> float:
    """Return how long a host is marked down after so many failures in a row (1, 2, …), less its jitter."""
    return min(backoff.first * 2.0 ** min(max(failures, 1) - 1, 32), backoff.longest)


def has_run_out(health: HostHealth, now: float, backoff: Backoff) -> bool:
    """Return whether a mark is over. One with more time left than any has was made by another clock. Pure."""
    longest = max(_wait_seconds(health.failures, backoff) * (1 + JITTER), backoff.probe)
    return not 0 < health.down_until - now <= longest


def is_usable(health: HostHealth) -> bool:
    """Return whether messages may go to the host: not marked down. A mark that ran out waits for its probe."""
    return health.down_until == 0


class HealthBoard:
    """The health of one system's hosts: a copy in memory, shared through Redis; on its own while Redis is away."""

    def __init__(self, system: str, spool: AsyncSpool, backoff: Backoff, random: Random) -> None:
        self._system = system
        self._spool = spool
        self._backoff = backoff
        self._random = random
        self._known: dict[str, HostHealth] = {}
        self._written: dict[str, str] = {}
        self._returned = False
        self._shown: set[str] = set()

    def usable(self, host: Host) -> bool:
        """Return whether messages may go to the host now."""
        return is_usable(self._known.get(host.key, WELL))

    async def refresh(self) -> None:
        """Take over what other replicas found out, and flush the retries when a host is back. Raises SpoolError."""
        await self._read()
        await self._flush_retries()

    async def _read(self) -> None:
        self._take_over(await self._spool.run(read_host_health(self._system)))

    async def _flush_retries(self) -> None:
        """Bring the unserved deliveries forward where this replica, of all, found that a host is back."""
        if not self._returned:
            return
        self._returned = False
        try:
            flushed = await self._spool.run(flush_retries(keys.egress(self._system), unserved=True))
        except SpoolError:
            self._returned = True  # with the next refresh
            raise
        if flushed:
            emit(RetriesFlushed(self._system, flushed))

    async def note(
        self, host: Host, what: Literal["failed", "answered", "delivered"], *, probed: bool = False, cause: str = ""
    ) -> None:
        """Write down what happened to a host; cheap while it is well. Never raises while Redis is away.

        probed: what happened ended a probe. Otherwise a failure of a host that is marked down already says nothing new.
        """
        before = self._known.get(host.key, WELL)
        if what == "failed" and not is_usable(before) and not probed:
            return
        if what == "failed":
            emit(HostFailed(self._system, host.key, cause))
        after = next_health(before, what, time.time(), self._backoff, self._random)
        if after != before and await self._write(host, before, after) and is_usable(after) and not is_usable(before):
            self._returned = True
            with suppress(SpoolError):
                await self._flush_retries()

    async def claim_probe(self, host: Host) -> bool:
        """Return whether the host's mark has run out and this replica, of all, is to probe it."""
        before, now = self._known.get(host.key, WELL), time.time()
        if is_usable(before) or not has_run_out(before, now, self._backoff):
            return False
        return await self._write(host, before, next_health(before, "probing", now, self._backoff, self._random))

    async def _write(self, host: Host, before: HostHealth, after: HostHealth) -> bool:
        """Change the shared state and the copy; where another replica was first, take over what it wrote."""
        text = "" if after == WELL else json.dumps(asdict(after))
        try:
            written = self._written.get(host.key, "")
            won = await self._spool.run(replace_host_health(self._system, host.key, written, text))
            if not won:
                await self._read()
                return False
        except SpoolError:
            pass  # alone for now: this replica's own experience counts until Redis is back
        self._written[host.key] = text
        self._learn(host.key, before, after)
        return True

    def _take_over(self, written: dict[str, str]) -> None:
        for key in self._known.keys() | written.keys():
            before, text = self._known.get(key, WELL), written.get(key, "")
            if text != self._written.get(key, ""):
                self._learn(key, before, HostHealth(**json.loads(text)) if text else WELL)
        self._written = written

    def _learn(self, key: str, before: HostHealth, after: HostHealth) -> None:
        self._known[key] = after
        self._show(key, is_usable(after))
        if is_usable(before) != is_usable(after):
            if is_usable(after):
                emit(HostMarkedUp(self._system, key))
            else:
                seconds = round(after.down_until - time.time(), 1)
                emit(HostMarkedDown(self._system, key, seconds))

    def watch(self, host: Host) -> None:
        """Have a gauge for the host from the start."""
        self._show(host.key, self.usable(host))

    def _show(self, key: str, value: float) -> None:
        self._shown.add(key)
        metrics.smart_host_usable.labels(self._system, key).set(value)

    def close(self) -> None:
        """Show no host any more: one that is no longer configured would seem to be down for ever."""
        for key in self._shown:
            metrics.smart_host_usable.labels(self._system, key).set(math.nan)  # several processes can remove no label
