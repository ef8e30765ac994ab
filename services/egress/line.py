"""The line of deliveries to one system that wait until a smart host has room, because each is at a limit of ours.

All of them wait for the same hosts, so only the first has to ask. Those behind it cost nothing, and few may stand here:
the worker leases no more than can be served in time, and the rest stays in the queue.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from shared.operations import metrics

LONGEST_LINE = 20
"""Enough to keep a fast host busy between two leases."""


class Line:
    """Where deliveries wait. patience: seconds that each waits in one attempt, all in all."""

    def __init__(self, system: str, patience: float) -> None:
        self.patience = patience
        self.is_hurried = False
        self.length = 0
        self.head = asyncio.Lock()
        self._longest = LONGEST_LINE
        self._news = asyncio.Event()
        self._gauge = metrics.deliveries_waiting.labels(system)

    @property
    def room(self) -> int:
        """How many more may come and hope to be served in time."""
        return max(self._longest - self.length, 0)

    def join(self) -> None:
        """Count one more."""
        self.length += 1
        self._gauge.set(self.length)

    def leave(self, *, in_vain: bool) -> None:
        """Count one less. Where it waited in vain, more stood here than could be served: fewer shall come."""
        self.length -= 1
        self._gauge.set(self.length)
        self._longest = max(self._longest // 2, 1) if in_vain else min(self._longest + 1, LONGEST_LINE)

    def wake(self) -> None:
        """Have the first look again: something is free."""
        self._news.set()

    def hurry(self) -> None:
        """Let nobody wait from now on."""
        self.is_hurried = True
        self._news.set()

    async def until_news(self, at: float | None) -> None:
        """Wait until somebody wakes the first, or until `at` (the loop's time); not at all where that is None."""
        self._news.clear()
        if at is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(at):
                    await self._news.wait()


class Place:
    """One delivery's place in the line, over one attempt. is_first: it may ask."""

    __slots__ = ("_line", "_until", "_waits", "is_first")

    def __init__(self, line: Line) -> None:
        self.is_first = False
        self._line = line
        self._until = 0.0
        self._waits = False

    async def wait(self, next_chance: Callable[[], float | None]) -> bool:
        """Wait until it is worth while to ask again; False when the delivery's patience is over.

        next_chance: tells the loop's time at which a host may have room again; None for now.
        """
        line = self._line
        self._until = self._until or asyncio.get_running_loop().time() + line.patience
        if not self._waits:
            self._waits = True
            line.join()
        try:
            async with asyncio.timeout_at(self._until):
                if self.is_first:
                    await line.until_news(next_chance())
                else:
                    self.is_first = await line.head.acquire()
        except TimeoutError:
            self.leave(in_vain=True)
            return False
        return not line.is_hurried

    def leave(self, *, in_vain: bool = False) -> None:
        """Make room for the next, where the delivery waited at all."""
        if self.is_first:
            self._line.head.release()
        if self._waits:
            self._line.leave(in_vain=in_vain)
        self._waits = self.is_first = False
