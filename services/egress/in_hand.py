"""The deliveries that a worker holds, from their lease until they are settled or their lease is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator

from services.egress.work import Work
from shared.spool.lease import Lease


class InHand:
    """A worker's deliveries by id. A delivery that is leased again after its lease was lost is another `Work`."""

    def __init__(self) -> None:
        self._works: dict[str, Work] = {}
        self._fewer = asyncio.Event()

    def __len__(self) -> int:
        return len(self._works)

    def __iter__(self) -> Iterator[Work]:
        return iter(tuple(self._works.values()))

    def __contains__(self, work: Work) -> bool:
        return self._works.get(work.lease.id) is work

    def add(self, works: Iterable[Work]) -> None:
        """Hold what was leased."""
        self._works.update((work.lease.id, work) for work in works)

    def remove(self, works: Iterable[Work]) -> None:
        """Hold these no more; what is not held is passed over."""
        for work in works:
            if work in self:
                del self._works[work.lease.id]
        self.wake()

    def wake(self) -> None:
        """End the waits of `until_fewer`."""
        self._fewer.set()

    async def until_fewer(self) -> None:
        """Wait until something is removed, or `wake`."""
        self._fewer.clear()
        await self._fewer.wait()

    def size_of(self, system: str) -> tuple[int, int]:
        """Return how many deliveries to a system are held, and their bytes."""
        sizes = [work.leased.delivery.size for work in self if work.leased.delivery.system == system]
        return len(sizes), sum(sizes)

    @property
    def leases(self) -> list[Lease]:
        """The leases of all."""
        return [work.lease for work in self]

    @property
    def tasks(self) -> list[asyncio.Task[None]]:
        """The attempts that were started."""
        return [work.task for work in self if work.task]
