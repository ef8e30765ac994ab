"""The connection under an SMTP session: aiosmtpd's protocol, with our own reading, writing, time limits and closing.

What aiosmtpd 1.4.6 does differently, and why it is replaced here: it ends a command at a bare LF; keeps what was
pipelined past EHLO, DATA and STARTTLS; cancels the rest of a session, a running write included, when the connection
is lost or the client has closed its side; says nothing when it times out; and answers each pipelined command in a
packet of its own.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, cast

from aiosmtpd.smtp import SMTP

from services.ingress import commands, replies
from services.ingress.commands import MAX_MAIL_BYTES
from services.ingress.input import Input
from services.ingress.limits import SessionLimit
from services.ingress.replies import Refusal
from services.ingress.sources import ClientAddress, certificate_names
from shared.configuration.ingress import IngressSettings
from shared.history.session import MessageRefused, SessionCrashed, SessionRefused
from shared.mail.reply import Reply
from shared.operations import metrics
from shared.operations.log import emit

LINGER_SECONDS = 5.0
"""How long a peer that does not read may delay the closing of a connection."""

logging.getLogger("mail.log").setLevel(logging.ERROR)  # aiosmtpd's own: one line a command


class ServerConnection(SMTP):
    """A connection that reads command lines and writes replies, in order.

    client: the real client's address, also behind a load balancer. on_begin, on_end: called once each; after on_end
    nothing of it runs. It outlives its connection only while a message is being written.
    """

    def __init__(
        self,
        hostname: str,
        client: ClientAddress,
        settings: IngressSettings,
        limit: SessionLimit,
        *,
        on_begin: Callable[[ServerConnection], None],
        on_end: Callable[[ServerConnection], None],
    ) -> None:
        super().__init__(_NO_HOOKS, hostname=hostname, loop=asyncio.get_running_loop())
        self._client = client
        self._settings = settings
        self._limit = limit
        self._on_begin, self._on_end = on_begin, on_end
        self._input = Input()
        self._unsent = bytearray()
        self._tls_facts: str | None = None
        self._certificate_names: tuple[str, ...] = ()
        self._errors = 0
        self._final_reply: Refusal | None = None
        self._is_idle = self._is_writing = self._is_done = self._is_lost = False
        self._session_timer: asyncio.TimerHandle | None = None
        self._linger_timer: asyncio.TimerHandle | None = None

    # What a session adds -----------------------------------------------------------------------------------------

    @property
    def is_receiving(self) -> bool:
        """Whether a message has been received in part, so that the next command may continue it."""
        return False

    def facts(self) -> dict[str, Any]:
        """Return the fields of an event about the session."""
        return {"client": str(self._client)}

    def reset(self) -> None:
        """Drop the message that is being received, and release what it has reserved."""

    # The server's side -------------------------------------------------------------------------------------------

    def drain(self) -> None:
        """Receive the message that has begun, then end with 421; at once where there is none (RFC 5321 section 3.8)."""
        self._final_reply = replies.SHUTTING_DOWN
        if self._is_idle and not self.is_receiving:
            self._hang_up(replies.SHUTTING_DOWN)

    def abort(self) -> None:
        """Close without a reply."""
        self._wire.abort()

    # The transport's side ----------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the session; behind implicit TLS the handshake is done."""
        self._adopt(transport)
        self._on_begin(self)
        super().connection_made(transport)
        seconds = self._settings.session_timeout.total_seconds()
        self._session_timer = self.loop.call_later(seconds, self._timeout_cb)

    def data_received(self, data: bytes) -> None:
        """Buffer what the client sends until the session reads it."""
        self._input.feed(data)

    def eof_received(self) -> bool:
        """End the input. A client that closes only its side still gets its replies, where TLS allows it."""
        self._input.end()
        return self._tls_facts is None

    def connection_lost(self, _error: Exception | None) -> None:
        """End the input, and with it the session, once nothing of it runs."""
        if self._is_lost:
            return
        self._input.drop()
        # Not aiosmtpd's, which cancels the session; and no error, which would be stored in a future and never be read.
        asyncio.StreamReaderProtocol.connection_lost(self, None)
        if self._linger_timer:
            self._linger_timer.cancel()
        self._is_lost = True
        if self._is_done:
            self._on_end(self)

    def _break_off(self) -> None:
        """Drop the connection: a transport that is lost during a handshake does not report it."""
        self._wire.abort()
        self.connection_lost(None)

    def _adopt(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self._input.attach(self._wire)
        if tls := transport.get_extra_info("ssl_object"):
            self._tls_facts = f"{tls.version()} {tls.cipher()[0]}"
            self._certificate_names = certificate_names(tls.getpeercert())

    @property
    def _wire(self) -> asyncio.Transport:
        return cast("asyncio.Transport", self.transport)

    # Time limits and ends ----------------------------------------------------------------------------------------

    def _reset_timeout(self, duration: float | None = None) -> None:
        self._stop_timer()
        seconds = self._settings.command_timeout.total_seconds() if duration is None else duration
        self._timeout_handle = self.loop.call_later(seconds, self._timeout_cb)

    def _stop_timer(self) -> None:
        if self._timeout_handle:
            self._timeout_handle.cancel()

    def _timeout_cb(self) -> None:
        if self._is_writing:  # the reply to its message comes first
            self._final_reply = replies.TIMEOUT_EXCEEDED
        else:
            self._hang_up(replies.TIMEOUT_EXCEEDED)

    def _hang_up(self, reply: Refusal) -> None:
        """Send a last reply and close; the session finds its input ended."""
        if not self._wire.is_closing():
            self._queue_reply(reply)
        self._close()

    def _close(self) -> None:
        self._input.drop()
        if not self._wire.is_closing():
            self._write_out()
            self._wire.close()
            self._linger_timer = self.loop.call_later(LINGER_SECONDS, self._wire.abort)

    # Commands and replies --------------------------------------------------------------------------------------------

    async def _handle_client(self) -> None:
        refusal = self._limit.enter(self._client)
        try:
            if refusal:
                self._hang_up(refusal)
            else:
                await self._converse()
        except Exception as error:  # noqa: BLE001 (a bug in one session must not end the others)
            if not (self._is_lost and isinstance(error, OSError)):
                emit(SessionCrashed(**self.facts()), error)
                self._hang_up(replies.LOCAL_ERROR)
        finally:
            self.reset()
            self._close()
            self._stop_timer()
            if self._session_timer:
                self._session_timer.cancel()
            if not refusal:
                self._limit.leave(self._client)
            self._is_done = True
            if self._is_lost:
                self._on_end(self)

    async def _converse(self) -> None:
        self._queue_reply(Reply(220, f"{self.hostname} ESMTP Causeway"))
        executed = 0
        while (line := await self._next_line()) is not None:
            executed += 1
            if executed > self._settings.max_commands:
                return self._hang_up(replies.TOO_MANY_COMMANDS)
            if reply := await self._execute(line):
                self._queue_reply(reply)
                if reply.code == replies.BYE.code or (isinstance(reply, Refusal) and reply.closes):
                    return None
            if self._errors >= self._settings.max_errors:
                return self._hang_up(replies.TOO_MANY_ERRORS)
        return None

    async def _next_line(self) -> bytes | None:
        if self._final_reply and not self.is_receiving:
            self._hang_up(self._final_reply)
        self._reset_timeout()
        self._is_idle = True
        try:
            if not self._input.has_line:  # replies to what was pipelined leave together (RFC 2920 section 3.2)
                await self._flush()
            return await self._input.line(MAX_MAIL_BYTES)
        finally:
            self._is_idle = False

    async def _execute(self, line: bytes) -> Reply | None:
        """Execute a command and return the reply; None where none is due."""
        split = commands.command(line)
        if isinstance(split, Refusal):
            return split
        verb, argument = split
        method = self._smtp_methods.get(verb)
        return cast("Reply | None", await method(argument)) if method else replies.UNKNOWN_COMMAND

    def _queue_reply(self, reply: Reply) -> None:
        if isinstance(reply, Refusal):
            self._errors += reply.is_permanent
            metrics.messages_refused.labels(reply.reason).inc()
            refused = SessionRefused if reply.closes else MessageRefused
            emit(refused(reason=reply.reason, reply=str(reply), **self.facts()))
        self._unsent += f"{reply}\r\n".encode()

    def _write_out(self) -> None:
        if self._unsent and not self._wire.is_closing():
            self._wire.write(bytes(self._unsent))
        self._unsent.clear()

    async def _flush(self) -> None:
        self._write_out()
        await self._writer.drain()


_NO_HOOKS = object()
