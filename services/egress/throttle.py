"""The deliveries to one system that wait until a smart host has room, because every host is at a limit of ours.

All of them wait for the same hosts, so only the first has to ask. Those behind it cost nothing, and few may wait here:
the worker leases no more than can be served in time, and the rest stays in the queue.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from shared.operations import metrics

MAX_WAITING = 20
"""Enough to keep a fast host busy between two leases."""


class Throttle:
    """Where deliveries wait, first come first served. max_wait_seconds: of one attempt, all its waits together."""

    def __init__(self, system: str, max_wait_seconds: float) -> None:
        self.max_wait_seconds = max_wait_seconds
        self.is_stopped = False
        self.waiting = 0
        self.first = asyncio.Lock()
        self._max_waiting = MAX_WAITING
        self._changed = asyncio.Event()
        self._gauge = metrics.deliveries_throttled.labels(system)

    @property
    def room(self) -> int:
        """How many more may come and be served in time."""
        return max(self._max_waiting - self.waiting, 0)

    def join(self) -> None:
        """Count one more."""
        self.waiting += 1
        self._gauge.set(self.waiting)

    def leave(self, *, timed_out: bool) -> None:
        """Count one less. Where it timed out, more waited than could be served: admit fewer."""
        self.waiting -= 1
        self._gauge.set(self.waiting)
        self._max_waiting = max(self._max_waiting // 2, 1) if timed_out else min(self._max_waiting + 1, MAX_WAITING)

    def wake(self) -> None:
        """Have the first ask again: a connection or a slot is free."""
        self._changed.set()

    def stop(self) -> None:
        """End every wait, now and from now on."""
        self.is_stopped = True
        self._changed.set()

    async def until_changed(self, at: float | None) -> None:
        """Wait until `wake` or `stop`, or until `at` (the loop's time); not at all where that is None."""
        self._changed.clear()
        if at is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(at):
                    await self._changed.wait()


class Ticket:
    """The turn of one delivery in one attempt. is_first: it may ask a host for room."""

    __slots__ = ("_is_waiting", "_throttle", "_until", "is_first")

    def __init__(self, throttle: Throttle) -> None:
        self.is_first = False
        self._throttle = throttle
        self._until = 0.0
        self._is_waiting = False

    async def wait(self, next_chance: Callable[[], float | None]) -> bool:
        """Wait until it is worth asking again; return False once `max_wait_seconds` are over or the throttle stopped.

        next_chance: returns the loop's time at which a host may have room again; None for now.
        """
        throttle = self._throttle
        self._until = self._until or asyncio.get_running_loop().time() + throttle.max_wait_seconds
        if not self._is_waiting:
            self._is_waiting = True
            throttle.join()
        try:
            async with asyncio.timeout_at(self._until):
                if self.is_first:
                    await throttle.until_changed(next_chance())
                else:
                    self.is_first = await throttle.first.acquire()
        except TimeoutError:
            self.release(timed_out=True)
            return False
        return not throttle.is_stopped

    def release(self, *, timed_out: bool = False) -> None:
        """Let the next delivery be first. Does nothing for one that never waited."""
        if self.is_first:
            self._throttle.first.release()
        if self._is_waiting:
            self._throttle.leave(timed_out=timed_out)
        self._is_waiting = self.is_first = False
