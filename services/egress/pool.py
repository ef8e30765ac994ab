"""Connections to the hosts of one system: at most so many to a host, kept for so long, whatever they carry.

Reuse is bounded by time and not by count: otherwise a slow host, whose connections last longer, would attract more mail
than its weight. A connection that died while idle says nothing about its host.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager

from services.egress.addresses import HostAddresses
from services.egress.balance import Host
from services.egress.connect import open_session
from services.egress.host_tls import HostTls
from services.egress.quota import Quota
from services.egress.session import Session, Timeouts
from shared.history.host import EncryptionSkipped
from shared.mail.reply import Reply
from shared.operations import metrics
from shared.operations.log import emit
from shared.spool.host_quota import Slot


class Pool:
    """Open sessions by host. connections_per_host bounds ours, in use and idle; quota, those of all replicas."""

    def __init__(
        self,
        system: str,
        *,
        hostname: str,
        tls: HostTls,
        timeouts: Timeouts,
        addresses: HostAddresses,
        connections_per_host: int,
        reuse_seconds: float,
        quota: Quota,
    ) -> None:
        self._system = system
        self._hostname = hostname
        self._tls = tls
        self._timeouts = timeouts
        self._addresses = addresses
        self._reuse_seconds = reuse_seconds
        self._slots: defaultdict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(connections_per_host))
        self._idle: defaultdict[str, deque[Session]] = defaultdict(deque)
        self._quota = quota
        self._shared: dict[Session, Slot] = {}
        self._quitting: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def slot(self, host: Host) -> AsyncIterator[None]:
        """Hold the right to one connection to the host; waits while all are in use."""
        async with self._slots[host.key]:
            yield

    async def take(self, host: Host, *, fresh: bool = False) -> Session | Reply | None:
        """Return a session, an idle one or a new one; a Reply says why there is none. To be called in a slot.

        None: the replicas together have as many connections to the host as they may.
        One that another entry opened, which led to the same host by its MX records, may lack the TLS level of this one.
        """
        idle = self._idle[host.key]
        while idle:
            session = idle.pop()
            if not fresh and self._may_be_used(session) and session.host.settings == host.settings:
                session.reused = True
                return session
            self._close(session)
        if host.settings.max_connections is None:
            return await self._open(host)
        shared = await self._quota.take_slot(host)
        if shared is None:  # one may have been given back meanwhile
            return await self.take(host, fresh=fresh) if idle else None
        session_or_reply = None
        try:
            session_or_reply = await self._open(host)
        finally:
            if isinstance(session_or_reply, Session):
                self._shared[session_or_reply] = shared
            else:
                self._later(self._quota.give_up_slot(shared))
        return session_or_reply

    async def _open(self, host: Host) -> Session | Reply:
        session_or_reply = await open_session(
            host,
            hostname=self._hostname,
            tls=self._tls,
            timeouts=self._timeouts,
            addresses=self._addresses,
        )
        if isinstance(session_or_reply, Session):
            metrics.connections.labels(self._system, host.key).inc()
            if session_or_reply.clear_cause:
                metrics.connections_in_clear.labels(self._system, host.key).inc()
                emit(EncryptionSkipped(self._system, host.key, session_or_reply.clear_cause))
        return session_or_reply

    def is_connected(self, host: Host) -> bool:
        """Return whether a connection to the host is idle."""
        return bool(self._idle[host.key])

    def give_back(self, session: Session) -> None:
        """Keep a session for the next message, or close it when its time is over."""
        if self._may_be_used(session) and not self._is_wanted(session):
            self._idle[session.host.key].append(session)
            if session in self._shared:
                self._quota.throttle.wake()
        else:
            self._close(session)

    def close_old(self) -> None:
        """Close the idle sessions whose time is over, or that the host has closed, or another replica waits for."""
        for idle in self._idle.values():
            for session in [session for session in idle if not self._may_be_used(session) or self._is_wanted(session)]:
                idle.remove(session)
                self._close(session)

    async def aclose(self) -> None:
        """Close every idle session and wait for those that are saying QUIT."""
        for idle in self._idle.values():
            while idle:
                self._close(idle.pop())
        await asyncio.gather(*self._quitting)

    def _may_be_used(self, session: Session) -> bool:
        age = asyncio.get_running_loop().time() - session.opened_at
        shared = self._shared.get(session)
        return session.is_open and age < self._reuse_seconds and (shared is None or self._quota.holds(shared))

    def _is_wanted(self, session: Session) -> bool:
        return session in self._shared and self._quota.is_wanted(session.host.key)

    def _close(self, session: Session) -> None:
        metrics.connections.labels(self._system, session.host.key).dec()
        shared = self._shared.pop(session, None)
        self._later(self._part(session, shared) if shared else session.quit())

    async def _part(self, session: Session, shared: Slot) -> None:
        try:
            await session.quit()
        finally:
            await self._quota.give_up_slot(shared)

    def _later(self, ending: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(ending)
        self._quitting.add(task)
        task.add_done_callback(self._quitting.discard)
