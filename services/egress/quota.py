"""What this replica may do with a smart host that has limits, which all replicas share.

A connection to a host with `max_connections` holds a slot, which is renewed here every second until it is returned. A
message to one with `messages_per_minute` takes a turn. While Redis is away nothing new is granted, since the use by
other replicas is unknown; existing connections continue until their slots run out.
"""

from __future__ import annotations

import asyncio
import math
import secrets
from collections.abc import Iterable
from contextlib import suppress
from itertools import count

from services.egress.balance import Host
from services.egress.throttle import Throttle
from shared.configuration.smart_hosts import SmartHost
from shared.errors import SpoolError
from shared.operations.tasks import end
from shared.spool.host_quota import Slot, pace_of, renew_slots, return_slots, take_slot, take_turn
from shared.spool.operation import AsyncSpool

RENEW_SECONDS = 1.0
SLOT_SECONDS = 10.0
"""After which the slots of a replica that was killed are free."""
ASK_AGAIN_SECONDS = 0.25
"""Between two questions for a slot that another replica has to return, or while Redis is away."""


class Quota:
    """The limits of the smart hosts of one system, and the deliveries that wait for them."""

    def __init__(self, smart_hosts: Iterable[SmartHost], spool: AsyncSpool, throttle: Throttle) -> None:
        self.throttle = throttle
        self._always_limited = all(entry.is_limited for entry in smart_hosts)
        self._spool = spool
        self._replica = secrets.token_hex(8)
        self._numbers = count(1)
        self._held: dict[Slot, float] = {}
        self._wanted: set[str] = set()
        self._slot_at: dict[str, float] = {}
        self._turn_at: dict[str, float] = {}
        self._spooling = asyncio.Lock()
        self._keeper: asyncio.Task[None] | None = None

    @property
    def room(self) -> int | None:
        """How many more deliveries are worth leasing; None where there is no limit."""
        return self.throttle.room if self.throttle.waiting or self._always_limited else None

    def has_room(self, host: Host, *, connected: bool, first: bool) -> bool:
        """Return whether it is worth asking for room at a host now.

        connected: a connection to it is idle. first: the delivery is the first of those that wait.
        """
        if not host.settings.is_limited:
            return True
        if self.throttle.first.locked() and not first:
            return False
        slot_at = 0.0 if connected else self._slot_at.get(host.key, 0.0)
        return asyncio.get_running_loop().time() >= max(slot_at, self._turn_at.get(host.key, 0.0))

    def next_chance(self) -> float | None:
        """Return the loop's time at which a host that had no room may have some; None where that is now."""
        now = asyncio.get_running_loop().time()
        return min((at for at in (*self._slot_at.values(), *self._turn_at.values()) if at > now), default=None)

    async def take_turn(self, host: Host) -> bool:
        """Return whether one message may be handed to the host now; it is counted then."""
        if host.settings.messages_per_minute is None:
            return True
        try:
            seconds = await self._spool.run(take_turn(host.key, pace_of(host.settings.messages_per_minute)))
        except SpoolError:
            seconds = ASK_AGAIN_SECONDS
        self._turn_at[host.key] = asyncio.get_running_loop().time() + seconds
        return not seconds

    async def take_slot(self, host: Host) -> Slot | None:
        """Return the right to one more connection to a host with `max_connections`, or None. To be given up again."""
        assert host.settings.max_connections is not None
        loop = asyncio.get_running_loop()
        slot, until = Slot(host.key, self._replica, next(self._numbers)), loop.time() + SLOT_SECONDS
        try:
            taken = await self._spool.run(take_slot(slot, host.settings.max_connections, SLOT_SECONDS))
        except SpoolError:
            taken = False
        if not taken:
            self._slot_at[host.key] = loop.time() + ASK_AGAIN_SECONDS
            return None
        self._held[slot] = until
        if self._keeper is None or self._keeper.done():
            self._keeper = asyncio.create_task(self._keep())
        return slot

    def holds(self, slot: Slot) -> bool:
        """Return whether no other replica can have the slot."""
        return asyncio.get_running_loop().time() < self._held.get(slot, -math.inf)

    def is_wanted(self, host: str) -> bool:
        """Return whether to give up one connection to a host, for a replica that has fewer; True only once."""
        if host not in self._wanted:
            return False
        self._wanted.remove(host)
        return True

    async def give_up_slot(self, slot: Slot) -> None:
        """Return a slot whose connection is closed."""
        self._held.pop(slot, None)
        async with self._spooling:  # a renewal under way would count it again
            with suppress(SpoolError):  # then it runs out
                await self._spool.run(return_slots([slot]))
        self._slot_at.pop(slot.host, None)
        self.throttle.wake()

    async def _keep(self) -> None:
        while self._held:
            await asyncio.sleep(RENEW_SECONDS)
            async with self._spooling:
                held, until = tuple(self._held), asyncio.get_running_loop().time() + SLOT_SECONDS
                try:
                    renewal = await self._spool.run(renew_slots(self._replica, held, SLOT_SECONDS))
                except SpoolError:
                    continue
            for slot in held:
                if slot in self._held and self._held[slot] > -math.inf:
                    self._held[slot] = -math.inf if slot.name in renewal.lost else until
            self._wanted = set(renewal.wanted)

    async def aclose(self) -> None:
        """Stop renewing."""
        await end([self._keeper] if self._keeper else [])
