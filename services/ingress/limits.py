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

    def limit(self, total: int, per_client: int) -> None:
        """Set other limits for the sessions that come; those that are open stay."""
        self._total = total
        self._per_client = per_client

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
    """The bytes that messages being received may hold in memory. A `Reservation` is one session's part of it.

    per_client: what all sessions of one client may hold together, so that a client that fills its share stops no other.
    bytes_reserved: by all sessions together.
    """

    def __init__(self, limit: int, per_client: int) -> None:
        self._limit = limit
        self._per_client = per_client
        self._reserved: Counter[ClientAddress] = Counter()
        self.bytes_reserved = 0

    def limit(self, limit: int, per_client: int) -> None:
        """Set other limits for what is reserved from now on."""
        self._limit = limit
        self._per_client = per_client

    def reservation(self, client: ClientAddress) -> Reservation:
        """Return an empty reservation."""
        return Reservation(self, client)

    def has_room(self, client: ClientAddress, size: int) -> bool:
        """Return whether `size` bytes more of a client are within both limits."""
        return self.bytes_reserved + size <= self._limit and self._reserved[client] + size <= self._per_client

    def _add(self, client: ClientAddress, size: int) -> bool:
        if size > 0 and not self.has_room(client, size):
            return False
        self.bytes_reserved += size
        self._reserved[client] += size
        if not self._reserved[client]:
            del self._reserved[client]
        return True


class Reservation:
    """One session's part of the byte budget: what has arrived, never what was only announced."""

    def __init__(self, budget: ByteBudget, client: ClientAddress) -> None:
        self._budget = budget
        self._client = client
        self._size = 0

    def extend(self, size: int) -> bool:
        """Reserve at least `size` bytes in all; False, and no change, where that exceeds a limit."""
        if size <= self._size:
            return True
        if not self._budget._add(self._client, size - self._size):
            return False
        self._size = size
        return True

    def release(self) -> None:
        """Reserve nothing any more."""
        self._budget._add(self._client, -self._size)
        self._size = 0
