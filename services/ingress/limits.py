"""What all sessions of a process share: how many there may be, and how many octets they may hold."""

from __future__ import annotations

from collections import Counter

from services.ingress import replies
from services.ingress.replies import Refusal
from services.ingress.sources import ClientAddress


class SessionLimit:
    """Counts sessions, open or still in their handshake, in all and of each client."""

    def __init__(self, in_all: int, per_client: int) -> None:
        self._in_all = in_all
        self._per_client = per_client
        self._open: Counter[ClientAddress] = Counter()
        self._count = 0

    def enter(self, client: ClientAddress) -> Refusal | None:
        """Count a session in, or say why not. What entered has to leave."""
        if self._count >= self._in_all:
            return replies.TOO_MANY_SESSIONS
        if self._open[client] >= self._per_client:
            return replies.TOO_MANY_FROM_CLIENT
        self._count += 1
        self._open[client] += 1
        return None

    def leave(self, client: ClientAddress) -> None:
        """Count a session out."""
        self._count -= 1
        self._open[client] -= 1
        if not self._open[client]:
            del self._open[client]


class Flight:
    """The octets of messages that are coming in. A `Seat` is one session's share."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.octets = 0

    def seat(self) -> Seat:
        """Return an empty share."""
        return Seat(self)

    def _take(self, octets: int) -> bool:
        if octets > 0 and self.octets + octets > self._limit:
            return False
        self.octets += octets
        return True


class Seat:
    """One session's share of the octets in flight."""

    def __init__(self, flight: Flight) -> None:
        self._flight = flight
        self._octets = 0

    def hold(self, octets: int) -> bool:
        """Hold at least so many octets from now on; False, and no change, where that is over the limit."""
        if octets <= self._octets:
            return True
        if not self._flight._take(octets - self._octets):
            return False
        self._octets = octets
        return True

    def release(self) -> None:
        """Hold nothing."""
        self._flight._take(-self._octets)
        self._octets = 0
