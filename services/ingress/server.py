"""The server: accepts connections, determines the client of each, and starts a session for it."""

from __future__ import annotations

import asyncio
import socket
from functools import partial
from typing import Any

from services.ingress import proxy_protocol
from services.ingress.admission import client_share
from services.ingress.handshake import Handshake
from services.ingress.limits import SessionLimit
from services.ingress.listening import listen
from services.ingress.proxy_protocol import MalformedProxyHeader
from services.ingress.server_connection import ServerConnection
from services.ingress.server_session import HANDSHAKE_SECONDS, Ingress, ServerSession
from services.ingress.sources import ClientAddress, client_address, is_within
from shared.errors import ConfigurationError
from shared.history.reasons import RefusalReason
from shared.history.session import ConnectionLost, SessionRefused, SessionsAborted
from shared.operations import metrics
from shared.operations.log import emit
from shared.operations.tasks import end
from shared.operations.tls import Tls

PROXY_SECONDS = 10.0
"""How long a load balancer may take to send its header."""
OUT_OF_FILES_SECONDS = 0.1


class Server:
    """Serves SMTP on every configured address from `start` until `stop`."""

    def __init__(self, ingress: Ingress) -> None:
        self._ingress = ingress
        self._listeners: list[tuple[socket.socket, bool]] = []
        self._acceptors: list[asyncio.Task[None]] = []
        self._arrivals: set[asyncio.Task[None]] = set()
        self._sessions: set[ServerConnection] = set()
        settings = ingress.settings
        self._handshakes = SessionLimit(settings.max_sessions, settings.max_sessions_per_client)
        self._all_ended = asyncio.Event()

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """The addresses it listens on, those of `listen` before those of `listen_tls`."""
        return [listener.getsockname()[:2] for listener, _ in self._listeners]

    def use(self, ingress: Ingress) -> None:
        """Begin further sessions with this; those that are open go on with what they began with."""
        settings = ingress.settings
        for limit in (ingress.sessions, self._handshakes):
            limit.limit(settings.max_sessions, settings.max_sessions_per_client)
        ingress.byte_budget.limit(settings.max_bytes_in_flight, client_share(settings))
        self._ingress = ingress

    async def start(self) -> None:
        """Listen. Raises ConfigurationError for an address that cannot be used; nothing stays open then."""
        settings = self._ingress.settings
        try:
            for address in settings.listen:
                self._listeners += [(listener, False) for listener in listen(address, "ingress.listen")]
            for address in settings.listen_tls:
                self._listeners += [(listener, True) for listener in listen(address, "ingress.listen_tls")]
        except ConfigurationError:
            self._close_listeners()
            raise
        self._acceptors = [asyncio.create_task(self._accept(*listener)) for listener in self._listeners]

    async def stop(self) -> None:
        """Stop listening, end idle sessions with 421, receive messages that have begun, within `shutdown_timeout`."""
        await end(self._acceptors)
        self._close_listeners()
        await end(self._arrivals)
        for session in list(self._sessions):
            session.drain()
        if not await self._ended_within(self._ingress.settings.shutdown_timeout.total_seconds()):
            emit(SessionsAborted(len(self._sessions)))
            for session in list(self._sessions):
                session.abort()
            await self._ended_within(HANDSHAKE_SECONDS)

    async def _ended_within(self, seconds: float) -> bool:
        self._all_ended.clear()
        if self._sessions:
            try:
                await asyncio.wait_for(self._all_ended.wait(), seconds)
            except TimeoutError:
                return False
        return True

    def _close_listeners(self) -> None:
        for listener, _ in self._listeners:
            listener.close()
        self._listeners.clear()

    async def _accept(self, listener: socket.socket, implicit_tls: bool) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, peer = await loop.sock_accept(listener)
            except OSError as error:  # no file descriptor left, or the client has gone already
                emit(ConnectionLost(str(error)))
                await asyncio.sleep(OUT_OF_FILES_SECONDS)
                continue
            if len(self._arrivals) >= self._ingress.settings.max_sessions:
                connection.close()
                continue
            arrival = loop.create_task(self._welcome(connection, peer[0], implicit_tls))
            self._arrivals.add(arrival)
            arrival.add_done_callback(self._arrivals.discard)

    async def _welcome(self, connection: socket.socket, peer: str, implicit_tls: bool) -> None:
        """Determine the client, do the TLS handshake where it is implicit, and begin the session."""
        try:
            client = await self._client(connection, client_address(peer))
            if implicit_tls:
                assert self._ingress.tls, "listen_tls requires a certificate"
                await self._begin_tls(connection, client, self._ingress.tls)
            else:
                await self._begin(connection, client)
        except (MalformedProxyHeader, OSError) as error:  # TimeoutError and SSLError are kinds of OSError
            reason: RefusalReason = (
                "proxy_header" if isinstance(error, MalformedProxyHeader | TimeoutError) else "handshake"
            )
            emit(SessionRefused(reason, peer, cause=str(error)))
            metrics.messages_refused.labels(reason).inc()
            connection.close()
        except asyncio.CancelledError:
            connection.close()
            raise

    async def _begin_tls(self, connection: socket.socket, client: ClientAddress, tls: Tls) -> None:
        if refusal := self._handshakes.enter(client):
            raise ConnectionRefusedError(str(refusal))
        try:
            await self._begin(
                connection,
                client,
                ssl=Handshake(tls.context(), connection.fileno()),
                ssl_handshake_timeout=HANDSHAKE_SECONDS,
            )
        finally:
            self._handshakes.leave(client)

    async def _begin(self, connection: socket.socket, client: ClientAddress, **tls: Any) -> None:
        loop = asyncio.get_running_loop()
        await loop.connect_accepted_socket(partial(self._session, client), connection, **tls)

    async def _client(self, connection: socket.socket, peer: ClientAddress) -> ClientAddress:
        """Return the real client: for a listed load balancer the one in its PROXY header, else the peer."""
        if not is_within(peer, self._ingress.settings.proxy_protocol_from):
            return peer
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(PROXY_SECONDS):
            proxied = await proxy_protocol.read(partial(loop.sock_recv, connection))
        return client_address(str(proxied.client)) if proxied.client else peer

    def _session(self, client: ClientAddress) -> ServerSession:
        return ServerSession(self._ingress, client, on_begin=self._sessions.add, on_end=self._ended)

    def _ended(self, session: ServerConnection) -> None:
        self._sessions.discard(session)
        if not self._sessions:
            self._all_ended.set()
