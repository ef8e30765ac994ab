"""The limits that all sessions of a process share: their number, and the bytes of messages they may hold."""

from __future__ import annotations

from collections import Counter

from services.ingress import replies
from services.ingress.replies import Refusal
from services.ingress.sources import ClientAddress


class SessionLimit:
    """Counts sessions, open or still in their handshake: all of them, and those of each client."""

    def __init__(self, total: int, per_client: int) -> None:
        self._total = total
        self._per_client = per_client
        self._open: Counter[ClientAddress] = Counter()
        self._count = 0

    def enter(self, client: ClientAddress) -> Refusal | None:
        """Count a new session, or return why it is refused. What entered has to leave."""
        if self._count >= self._total:
            return replies.TOO_MANY_CONNECTIONS
        if self._open[client] >= self._per_client:
            return replies.TOO_MANY_CONNECTIONS_FROM_CLIENT
        self._count += 1
        self._open[client] += 1
        return None

    def leave(self, client: ClientAddress) -> None:
        """Count the end of a session."""
        self._count -= 1
        self._open[client] -= 1
        if not self._open[client]:
            del self._open[client]


class ByteBudget:
    """The bytes that all messages on their way in may hold in memory. A `Reservation` is one session's part of it.

    bytes_reserved: by all sessions together.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.bytes_reserved = 0

    def reservation(self) -> Reservation:
        """Return a reservation of nothing."""
        return Reservation(self)

    def _add(self, size: int) -> bool:
        if size > 0 and self.bytes_reserved + size > self._limit:
            return False
        self.bytes_reserved += size
        return True


class Reservation:
    """One session's part of the byte budget."""

    def __init__(self, budget: ByteBudget) -> None:
        self._budget = budget
        self._size = 0

    def extend(self, size: int) -> bool:
        """Reserve at least `size` bytes in all; False, and no change, where that exceeds the budget."""
        if size <= self._size:
            return True
        if not self._budget._add(size - self._size):
            return False
        self._size = size
        return True

    def release(self) -> None:
        """Reserve nothing any more."""
        self._budget._add(-self._size)
        self._size = 0
