"""Connections to the hosts of one system: at most so many to a host, kept for so long, whatever they carry.

Reuse is bounded by time and not by count: otherwise a slow host, whose connections last longer, would attract more mail
than its weight. A connection that died while idle is no fault of anybody.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from services.egress.balance import Host
from services.egress.session import Session, Timeouts, open_session
from shared.mail.reply import Reply
from shared.operations import metrics

Context = Callable[[Host], ssl.SSLContext | None]
"""The TLS context for the next handshake with a host; None for `tls: none`."""


class Pool:
    """Open sessions by host. connections_per_host bounds those in use and idle together."""

    def __init__(
        self,
        system: str,
        *,
        hostname: str,
        context: Context,
        timeouts: Timeouts,
        connections_per_host: int,
        reuse_seconds: float,
    ) -> None:
        self._system = system
        self._hostname = hostname
        self._context = context
        self._timeouts = timeouts
        self._reuse_seconds = reuse_seconds
        self._slots: defaultdict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(connections_per_host))
        self._idle: defaultdict[str, deque[Session]] = defaultdict(deque)
        self._quitting: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def slot(self, host: Host) -> AsyncIterator[None]:
        """Hold the right to one connection to the host; waits while all are in use."""
        async with self._slots[host.key]:
            yield

    async def take(self, host: Host, *, fresh: bool = False) -> Session | Reply:
        """Return a session, an idle one or a new one; a Reply says why there is none. To be called in a slot.

        One that another entry opened, which led to the same host by its MX records, may lack the TLS level of this one.
        """
        idle = self._idle[host.key]
        while idle:
            session = idle.pop()
            if not fresh and self._may_be_used(session) and session.host.settings == host.settings:
                session.reused = True
                return session
            self._close(session)
        session_or_reply = await open_session(
            host, hostname=self._hostname, context=self._context(host), timeouts=self._timeouts
        )
        if isinstance(session_or_reply, Session):
            metrics.connections.labels(self._system, host.key).inc()
        return session_or_reply

    def give_back(self, session: Session) -> None:
        """Keep a session for the next message, or close it when its time is over."""
        if self._may_be_used(session):
            self._idle[session.host.key].append(session)
        else:
            self._close(session)

    def close_old(self) -> None:
        """Close the idle sessions whose time is over, or that the host has closed."""
        for idle in self._idle.values():
            for session in [session for session in idle if not self._may_be_used(session)]:
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
        return session.is_open and age < self._reuse_seconds

    def _close(self, session: Session) -> None:
        metrics.connections.labels(self._system, session.host.key).dec()
        task = asyncio.create_task(session.quit())
        self._quitting.add(task)
        task.add_done_callback(self._quitting.discard)
