"""The egress worker: leases deliveries as there is room, attempts them side by side, settles those that are done.

One event loop. Each system has its own share of the room, so that a slow one delays no other. What is settled is
gathered for a few milliseconds and written at once. While Redis is away, outcomes are kept and settled when it is back,
as far as their leases are still ours. A worker that is killed loses nothing: its leases run out.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from random import Random
from typing import TypeVar

from services.egress.courier import Courier
from services.egress.in_hand import InHand
from services.egress.settlement import count_settlement
from services.egress.work import Work
from shared.configuration.settings import Settings
from shared.errors import SpoolError
from shared.history.delivery import DeliveryLeaseLost
from shared.history.spool import SpoolFailed
from shared.history.worker import WorkerDrainTimedOut, WorkerStarted, WorkerStopped
from shared.operations.log import emit
from shared.operations.tasks import end
from shared.runtime.health import Health
from shared.spool import keys
from shared.spool.lease import LeasedDelivery, contents, lease_deliveries, release, renew, wait_for_work
from shared.spool.operation import AsyncSpool, Operation
from shared.spool.presence import Shift, retire, worker_name
from shared.spool.schedule import (
    MAX_WAIT_SECONDS,
    RENEWALS_PER_LEASE,
    UPKEEP_SECONDS,
    UpkeepSchedule,
    waits_while_unavailable,
)
from shared.spool.write_settlements import log_settlement, write_settlements

T = TypeVar("T")

IDLE_SECONDS = 1.0
"""How long one request for work may wait in Redis."""
BEAT_SECONDS = 1.0
GATHER_SECONDS = 0.003
"""How long settlements are collected before they are written together."""
MAX_SETTLED_AT_ONCE = 200


class Worker:
    """Delivers to the systems that have a courier, until `stop`."""

    def __init__(
        self, settings: Settings, spool: AsyncSpool, couriers: Mapping[str, Courier], health: Health, random: Random
    ) -> None:
        self.name = worker_name("egress")
        self._settings = settings
        self._spool = spool
        self._couriers = dict(couriers)
        self._replaced: list[tuple[str, Courier]] = []
        self._health = health
        self._random = random
        self._queues = [keys.egress(system) for system in couriers]
        self._lease_seconds = settings.egress.lease.total_seconds()
        self._in_hand = InHand()
        self._stopping = asyncio.Event()
        self._some_done = asyncio.Event()
        crashes, lease_seconds = settings.egress.max_crashes, self._lease_seconds
        self._upkeep = UpkeepSchedule(self.name, self._queues, max_crashes=crashes, lease_seconds=lease_seconds)

    def stop(self) -> None:
        """Lease no more, finish what is in hand, give back what cannot be finished in `shutdown_timeout`."""
        self._stopping.set()
        self._in_hand.wake()
        for courier in self.couriers:
            courier.stop_waiting()

    @property
    def couriers(self) -> list[Courier]:
        """The couriers in use, and those that were replaced and are not closed yet."""
        return [*self._couriers.values(), *(courier for _, courier in self._replaced)]

    def use(self, settings: Settings, couriers: Mapping[str, Courier]) -> None:
        """Go on with other settings, and with other couriers for some systems.

        Deliveries that have begun end with the courier that they began with; it is closed after the last of them.
        """
        self._settings = settings
        for system, courier in couriers.items():
            self._replaced.append((system, self._couriers[system]))
            self._couriers[system] = courier
        if self._stopping.is_set():
            self.stop()
        self._in_hand.wake()

    async def run(self) -> None:
        """Work until stopped. Raises what is a bug of ours, so that the process starts anew."""
        emit(WorkerStarted(self.name, tuple(self._couriers)))
        keeping = [
            self._repeat(BEAT_SECONDS, self._beat),
            self._repeat(self._lease_seconds / RENEWALS_PER_LEASE, self._renew),
            self._repeat(UPKEEP_SECONDS, self._do_upkeep),
            *(self._repeat(UPKEEP_SECONDS, partial(self._refresh, system)) for system in self._couriers),
            self._settle_what_is_done(),
        ]
        kept = [asyncio.create_task(repeating) for repeating in keeping]
        serving = [asyncio.create_task(self._serve(system)) for system in self._couriers]
        draining = asyncio.create_task(self._drain(serving))
        try:  # a TaskGroup would cancel only once what is left, and wait for it for ever
            await asyncio.wait([draining, *kept], return_when=asyncio.FIRST_COMPLETED)
        finally:
            await end([draining, *serving, *kept, *self._in_hand.tasks])
        for task in (draining, *kept):
            if not task.cancelled():
                task.result()
        await self._finish()
        emit(WorkerStopped(self.name))

    async def _serve(self, system: str) -> None:
        """Lease and start deliveries to one system, as long as there is room."""
        patience = min(IDLE_SECONDS, self._settings.redis.timeout.total_seconds() / 2)
        while not self._stopping.is_set():
            jobs, max_bytes = self._room(system)
            if jobs <= 0 or max_bytes <= 0:
                await self._in_hand.until_fewer()
                continue
            asked_at = time.monotonic()

            def lease(jobs: int = jobs, max_bytes: int = max_bytes) -> Operation[list[LeasedDelivery]]:
                nonlocal asked_at
                asked_at = time.monotonic()
                return lease_deliveries(
                    system, self.name, max_jobs=jobs, max_bytes=max_bytes, seconds=self._lease_seconds
                )

            leased = await self._outlast(lease)
            if leased:
                await self._start(system, leased, asked_at + self._lease_seconds)
            else:
                await self._outlast(lambda: wait_for_work([keys.egress(system)], patience))

    def _room(self, system: str) -> tuple[int, int]:
        """Return how many deliveries and bytes of a system may be added."""
        egress, share, room = self._settings.egress, len(self._couriers), self._couriers[system].room
        held, held_bytes = self._in_hand.size_of(system)
        free = max(egress.max_in_flight // share, 1) - held
        return free if room is None else min(free, room), max(egress.max_bytes_in_flight // share, 1) - held_bytes

    async def _start(self, system: str, leased: list[LeasedDelivery], held_until: float) -> None:
        works = [Work(delivery, held_until, self._couriers[system]) for delivery in leased]
        self._in_hand.add(works)
        originals = await self._outlast(lambda: contents([work.leased.delivery.message_id for work in works]))
        if originals is None:  # stopped while Redis was away
            return
        for work, content in zip(works, originals, strict=True):
            if work in self._in_hand:  # else its lease was lost in the meantime
                work.task = asyncio.create_task(self._carry(work, content))

    async def _carry(self, work: Work, content: bytes | None) -> None:
        await work.carry(content, self._settings, self._random)
        self._some_done.set()

    async def _settle_what_is_done(self) -> None:
        waits = waits_while_unavailable()
        while True:
            await self._some_done.wait()
            await asyncio.sleep(GATHER_SECONDS)
            self._some_done.clear()
            try:
                await self._settle()
                waits = waits_while_unavailable()
            except SpoolError as error:
                emit(SpoolFailed(str(error)))
                await asyncio.sleep(next(waits))
                self._some_done.set()

    async def _settle(self) -> None:
        """Write what is done. Raises SpoolError, and then all of it is still in hand."""
        done = [work for work in self._in_hand if work.settlement]
        for start in range(0, len(done), MAX_SETTLED_AT_ONCE):
            batch = done[start : start + MAX_SETTLED_AT_ONCE]
            written = await self._spool.run(
                write_settlements(
                    [work.settlement for work in batch if work.settlement],
                    max_crashes=self._settings.egress.max_crashes,
                    history_seconds=self._settings.redis.history.total_seconds(),
                    shift=Shift(
                        self.name,
                        sum(work.seconds for work in batch),
                        "busy" if len(self._in_hand) > len(batch) else "idle",
                    ),
                )
            )
            for work in batch:
                assert work.settlement
                events = written.get(work.lease.id)
                log_settlement(work.settlement, events)
                if events is not None:
                    count_settlement(work.leased.delivery, work.settlement)
            self._in_hand.remove(batch)

    async def _renew(self) -> None:
        """Renew the leases; stop the work on those that are lost, unless its final dot went out.

        A delivery that was settled during the request has no lease any more, which is no loss.
        """
        held, until = tuple(self._in_hand), time.monotonic() + self._lease_seconds
        lost = await self._spool.run(renew([work.lease for work in held], self._lease_seconds))
        for work in held:
            if work.lease.id not in lost:
                work.attempt.held_until = until
        gone = [work for work in held if work.lease.id in lost and work in self._in_hand and work.settlement is None]
        for work in gone:
            work.attempt.given_up = True
            emit(DeliveryLeaseLost(work.lease.id, work.attempt.committed))
        stopped = [work for work in gone if not work.attempt.committed]
        self._in_hand.remove(stopped)
        await end(work.task for work in stopped if work.task)

    async def _refresh(self, system: str) -> None:
        """Close couriers that were replaced, once nothing is under way with them, and refresh the present one."""
        in_use = {work.courier for work in self._in_hand}
        done = [pair for pair in self._replaced if pair[0] == system and pair[1] not in in_use]
        for pair in done:
            await pair[1].aclose()
            self._replaced.remove(pair)
        await self._couriers[system].refresh()

    async def _do_upkeep(self) -> None:
        for operation in self._upkeep.due(time.monotonic(), is_busy=bool(self._in_hand)):
            await self._spool.run(operation)

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
                    emit(SpoolFailed(str(error)))
                failing = True
            await asyncio.sleep(min(seconds, MAX_WAIT_SECONDS) if failing else seconds)

    async def _outlast(self, operation: Callable[[], Operation[T]]) -> T | None:
        """Return an operation's result, trying until Redis answers; None where a stop comes first."""
        waits = waits_while_unavailable()
        while True:
            try:
                return await self._spool.run(operation())
            except SpoolError:
                if self._stopping.is_set():
                    return None
                await asyncio.sleep(next(waits))

    async def _drain(self, serving: Sequence[asyncio.Task[None]]) -> None:
        """Wait until nothing more is leased, then for what is in hand, at most `shutdown_timeout`; stop the rest."""
        await asyncio.gather(*serving)
        try:
            async with asyncio.timeout(self._settings.egress.shutdown_timeout.total_seconds()):
                while self._in_hand.tasks:
                    await self._in_hand.until_fewer()
        except TimeoutError:
            emit(WorkerDrainTimedOut(len(self._in_hand)))
        for work in self._in_hand:
            work.attempt.given_up = True
        await end(self._in_hand.tasks)

    async def _finish(self) -> None:
        """Settle what is done, give back the rest; without Redis the leases run out."""
        try:
            await self._settle()
            await self._spool.run(release(self._in_hand.leases))
            await self._spool.run(retire(self.name, self._queues))
        except SpoolError as error:
            emit(SpoolFailed(str(error)))
