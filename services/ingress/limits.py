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
    """The bytes of messages that are coming in, in all and of each client. A `Seat` is one session's share.

    per_client: what all sessions of one client hold together, so that one that fills its share stops nobody else.
    """

    def __init__(self, limit: int, per_client: int) -> None:
        self._limit = limit
        self._per_client = per_client
        self._held: Counter[ClientAddress] = Counter()
        self.octets = 0

    def seat(self, client: ClientAddress) -> Seat:
        """Return an empty share."""
        return Seat(self, client)

    def has_room(self, client: ClientAddress, octets: int) -> bool:
        """Whether so many bytes more of a client are within both limits."""
        return self.octets + octets <= self._limit and self._held[client] + octets <= self._per_client

    def _take(self, client: ClientAddress, octets: int) -> bool:
        if octets > 0 and not self.has_room(client, octets):
            return False
        self.octets += octets
        self._held[client] += octets
        if not self._held[client]:
            del self._held[client]
        return True


class Seat:
    """One session's share of the bytes in flight: what has arrived, never what was only announced."""

    def __init__(self, flight: Flight, client: ClientAddress) -> None:
        self._flight = flight
        self._client = client
        self._octets = 0

    def hold(self, octets: int) -> bool:
        """Hold at least so many bytes from now on; False, and no change, where that is over a limit."""
        if octets <= self._octets:
            return True
        if not self._flight._take(self._client, octets - self._octets):
            return False
        self._octets = octets
        return True

    def release(self) -> None:
        """Hold nothing."""
        self._flight._take(self._client, -self._octets)
        self._octets = 0
