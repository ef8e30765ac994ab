"""The egress worker: leases deliveries as there is room, carries them side by side, settles those that are done.

One event loop. Each system has its own share of the room, so that a slow one delays no other. What is settled is
gathered for a few milliseconds and written at once. While Redis is away, outcomes are kept and settled when it is back,
as far as their leases are still ours. A worker that is killed loses nothing: its leases run out.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import TypeVar

from services.egress.attempt import Attempt, LeaseRanOutError
from services.egress.courier import Courier
from services.egress.settlement import after_a_bug, settlement_of, tell, without_content
from shared.configuration.settings import Settings
from shared.errors import SpoolError
from shared.operations import metrics
from shared.operations.events import emit
from shared.operations.tasks import end
from shared.runtime.health import Health
from shared.spool import keys
from shared.spool.lease import Lease, LeasedDelivery, contents, lease_deliveries, release, renew, wait_for_work
from shared.spool.operation import AsyncSpool, Operation
from shared.spool.presence import announce, retire
from shared.spool.settle import Settlement, settle
from shared.spool.upkeep import promote, reclaim, reconcile

T = TypeVar("T")

IDLE_SECONDS = 1.0
GATHER_SECONDS = 0.003
UPKEEP_SECONDS = 1.0
ANNOUNCE_SECONDS = 20.0
RECONCILE_SECONDS = 60.0
MAX_SETTLED_AT_ONCE = 200

FIRST_WAIT_SECONDS = 0.05
LONGEST_WAIT_SECONDS = 1.0
"""Between two tries while Redis is away."""


@dataclass(slots=True)
class Work:
    """A leased delivery in hand, and how far its attempt has come."""

    leased: LeasedDelivery
    attempt: Attempt = field(default_factory=Attempt)
    task: asyncio.Task[None] | None = None
    settlement: Settlement | None = None


class Worker:
    """Delivers to the systems that have a courier, until `stop`."""

    def __init__(
        self,
        settings: Settings,
        spool: AsyncSpool,
        couriers: Mapping[str, Courier],
        health: Health,
        random: Random,
    ) -> None:
        self.name = f"egress-{socket.gethostname()}-{secrets.token_hex(4)}"
        self._settings = settings
        self._spool = spool
        self._couriers = couriers
        self._health = health
        self._random = random
        self._queues = [keys.egress(system) for system in couriers]
        self._lease_seconds = settings.egress.lease.total_seconds()
        self._in_hand: dict[str, Work] = {}
        self._stopping = asyncio.Event()
        self._some_done = asyncio.Event()
        self._fewer_in_hand = asyncio.Event()

    def stop(self) -> None:
        """Lease no more, finish what is in hand, give back what cannot be finished in `shutdown_timeout`."""
        self._stopping.set()
        self._fewer_in_hand.set()
        for courier in self._couriers.values():
            courier.hurry()

    async def run(self) -> None:
        """Work until stopped. Raises what is a bug of ours, so that the process starts anew."""
        emit("worker.started", worker=self.name, systems=list(self._couriers))
        keeping = [
            self._repeat(1.0, self._beat),
            self._repeat(self._lease_seconds / 4, self._renew),
            self._repeat(UPKEEP_SECONDS, self._keep_queues),
            self._repeat(RECONCILE_SECONDS, self._reconcile),
            self._repeat(ANNOUNCE_SECONDS, lambda: self._spool.run(announce(self.name, self._queues, "busy"))),
            *(self._repeat(UPKEEP_SECONDS, courier.refresh) for courier in self._couriers.values()),
            self._settle_what_is_done(),
        ]
        kept = [asyncio.create_task(one) for one in keeping]
        serving = [asyncio.create_task(self._serve(system)) for system in self._couriers]
        draining = asyncio.create_task(self._drain(serving))
        try:  # a TaskGroup would cancel only once what is left, and wait for it for ever
            await asyncio.wait([draining, *kept], return_when=asyncio.FIRST_COMPLETED)
        finally:
            await end([draining, *serving, *kept, *self._carrying()])
        for task in (draining, *kept):
            if not task.cancelled():
                task.result()
        await self._last_words()
        emit("worker.stopped", worker=self.name)

    async def _serve(self, system: str) -> None:
        """Lease and start deliveries to one system, as long as there is room."""
        patience = min(IDLE_SECONDS, self._settings.redis.timeout.total_seconds() / 2)
        while not self._stopping.is_set():
            jobs, octets = self._room(system)
            if jobs <= 0 or octets <= 0:
                await self._until_fewer_in_hand()
                continue
            asked_at = time.monotonic()

            def lease(jobs: int = jobs, octets: int = octets) -> Operation[list[LeasedDelivery]]:
                nonlocal asked_at
                asked_at = time.monotonic()
                return lease_deliveries(system, self.name, max_jobs=jobs, max_bytes=octets, seconds=self._lease_seconds)

            leased = await self._outlast(lease)
            if leased:
                await self._start(system, leased, asked_at + self._lease_seconds)
            else:
                await self._outlast(lambda: wait_for_work([keys.egress(system)], patience))

    def _room(self, system: str) -> tuple[int, int]:
        """Return how many deliveries and octets of a system may be added."""
        share = len(self._couriers)
        mine = [work.leased.delivery for work in self._in_hand.values() if work.leased.delivery.system == system]
        jobs = max(self._settings.egress.max_in_flight // share, 1)
        octets = max(self._settings.egress.max_bytes_in_flight // share, 1)
        room = self._couriers[system].room
        free = jobs - len(mine)
        return free if room is None else min(free, room), octets - sum(delivery.size for delivery in mine)

    async def _until_fewer_in_hand(self) -> None:
        """Wait until something was settled, or a stop comes."""
        self._fewer_in_hand.clear()
        await self._fewer_in_hand.wait()

    async def _start(self, system: str, leased: list[LeasedDelivery], held_until: float) -> None:
        works = [Work(one, Attempt(held_until)) for one in leased]
        self._in_hand.update((work.leased.lease.id, work) for work in works)
        originals = await self._outlast(lambda: contents([one.delivery.message_id for one in leased]))
        if originals is None:  # stopped while Redis was away
            return
        for work, content in zip(works, originals, strict=True):
            if self._in_hand.get(work.leased.lease.id) is not work:  # its lease was lost in the meantime
                continue
            work.task = asyncio.create_task(self._carry(work, content, self._couriers[system]))

    async def _carry(self, work: Work, content: bytes | None, courier: Courier) -> None:
        """Attempt one delivery; whatever happens becomes its settlement, or it is given up without a trace."""
        leased, began = work.leased, time.monotonic()
        delivery = leased.delivery
        if content is None:
            work.settlement = without_content(leased)
            self._some_done.set()
            return
        try:
            try:
                outcomes = await courier.deliver(delivery, content, leased.edits, work.attempt)
            except (asyncio.CancelledError, LeaseRanOutError) as end:
                if isinstance(end, asyncio.CancelledError) and not work.attempt.has_begun:
                    raise
                outcomes = work.attempt.interrupted(delivery.pending)
            work.settlement = settlement_of(
                leased,
                content,
                outcomes,
                self._settings,
                now=time.time(),
                seconds=time.monotonic() - began,
                random=self._random,
            )
        except Exception as error:  # noqa: BLE001 (a bug strikes one delivery, never its neighbours)
            emit("delivery.crashed", delivery.id, level=logging.ERROR, bug=True)
            work.settlement = after_a_bug(
                leased, work.attempt, error, self._settings, now=time.time(), random=self._random
            )
        metrics.stage_seconds.labels("egress").observe(time.monotonic() - began)
        self._some_done.set()

    async def _settle_what_is_done(self) -> None:
        wait = FIRST_WAIT_SECONDS
        while True:
            await self._some_done.wait()
            await asyncio.sleep(GATHER_SECONDS)
            self._some_done.clear()
            try:
                await self._settle()
                wait = FIRST_WAIT_SECONDS
            except SpoolError as error:
                emit("spool.failed", level=logging.ERROR, cause=str(error))
                await asyncio.sleep(wait)
                wait = min(wait * 2, LONGEST_WAIT_SECONDS)
                self._some_done.set()

    async def _settle(self) -> None:
        """Write what is done. Raises SpoolError, and then all of it is still in hand."""
        done = [work for work in self._in_hand.values() if work.settlement]
        for start in range(0, len(done), MAX_SETTLED_AT_ONCE):
            batch = done[start : start + MAX_SETTLED_AT_ONCE]
            stale = await self._spool.run(
                settle(
                    [work.settlement for work in batch if work.settlement],
                    max_crashes=self._settings.egress.max_crashes,
                    history_seconds=self._settings.redis.history.total_seconds(),
                )
            )
            for work in batch:
                assert work.settlement
                if work.leased.lease.id in stale:
                    emit("delivery.stale", work.leased.lease.id, level=logging.WARNING)
                else:
                    tell(work.leased.delivery, work.settlement)
            self._let_go(batch)

    def _let_go(self, works: list[Work]) -> None:
        for work in works:
            if self._in_hand.get(work.leased.lease.id) is work:
                del self._in_hand[work.leased.lease.id]
        self._fewer_in_hand.set()

    async def _renew(self) -> None:
        """Keep the leases; stop the work on those that are lost, unless its final dot is sent.

        A delivery that was settled while this was asked has no lease any more, and that is no loss.
        """
        held, until = dict(self._in_hand), time.monotonic() + self._lease_seconds
        lost = await self._spool.run(renew([work.leased.lease for work in held.values()], self._lease_seconds))
        for id in held.keys() - lost:
            held[id].attempt.held_until = until
        gone = [held[id] for id in lost if self._in_hand.get(id) is held[id] and held[id].settlement is None]
        for work in gone:
            work.attempt.given_up = True
            emit("delivery.lease_lost", work.leased.lease.id, level=logging.WARNING, committed=work.attempt.committed)
        stopped = [work for work in gone if not work.attempt.committed]
        self._let_go(stopped)
        await end(work.task for work in stopped if work.task)

    def _leases(self) -> list[Lease]:
        return [work.leased.lease for work in self._in_hand.values()]

    async def _keep_queues(self) -> None:
        for queue in self._queues:
            await self._spool.run(promote(queue))
            max_crashes = self._settings.egress.max_crashes
            for id in await self._spool.run(reclaim(queue, max_crashes=max_crashes, lease_seconds=self._lease_seconds)):
                emit("delivery.interrupted", id, level=logging.WARNING)

    async def _reconcile(self) -> None:
        for queue in self._queues:
            if adopted := await self._spool.run(reconcile(queue)):
                emit("queue.reconciled", level=logging.WARNING, queue=queue, deliveries=adopted)

    async def _beat(self) -> None:
        self._health.beat()

    async def _repeat(self, seconds: float, action: Callable[[], Awaitable[object]]) -> None:
        """Do something every so many seconds; while Redis is away, try again."""
        failing = False
        while True:
            try:
                await action()
                failing = False
            except SpoolError as error:
                if not failing:
                    emit("spool.failed", level=logging.ERROR, cause=str(error))
                failing = True
            await asyncio.sleep(min(seconds, LONGEST_WAIT_SECONDS) if failing else seconds)

    async def _outlast(self, operation: Callable[[], Operation[T]]) -> T | None:
        """Return an operation's result, trying until Redis answers; None where a stop comes first."""
        wait = FIRST_WAIT_SECONDS
        while True:
            try:
                return await self._spool.run(operation())
            except SpoolError:
                if self._stopping.is_set():
                    return None
                await asyncio.sleep(wait)
                wait = min(wait * 2, LONGEST_WAIT_SECONDS)

    async def _drain(self, serving: Sequence[asyncio.Task[None]]) -> None:
        """Wait until nothing more is leased, then for what is in hand, at most `shutdown_timeout`; stop the rest."""
        await asyncio.gather(*serving)
        try:
            async with asyncio.timeout(self._settings.egress.shutdown_timeout.total_seconds()):
                while self._carrying():
                    await self._until_fewer_in_hand()
        except TimeoutError:
            emit("worker.hurried", level=logging.WARNING, in_hand=len(self._in_hand))
        for work in self._in_hand.values():
            work.attempt.given_up = True
        await end(self._carrying())

    def _carrying(self) -> list[asyncio.Task[None]]:
        return [work.task for work in self._in_hand.values() if work.task]

    async def _last_words(self) -> None:
        """Settle what came to an end, give back the rest. What Redis does not hear, the leases' end will tell it."""
        try:
            await self._settle()
            await self._spool.run(release(self._leases()))
            await self._spool.run(retire(self.name, self._queues))
        except SpoolError as error:
            emit("spool.failed", level=logging.WARNING, cause=str(error))
