"""One SMTP session: each command of RFC 5321 and its extensions, and the reply to it.

What aiosmtpd 1.4.6 does differently, and why its commands are replaced: it reads DATA line by line and refuses long
lines; knows no BDAT and no DSN; parses addresses by header rules; and its STARTTLS reaches into asyncio's own loop.
"""

# ruff: noqa: N802 (aiosmtpd finds the method of a command by its name)

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from services.ingress import commands, replies
from services.ingress.accept import Acceptance
from services.ingress.admission import admit_recipient, admit_size
from services.ingress.content import Data
from services.ingress.handshake import Handshake
from services.ingress.input import HIGH_WATER
from services.ingress.limits import ByteBudget, SessionLimit
from services.ingress.receive_budget import ReceiveBudget
from services.ingress.replies import Refusal
from services.ingress.server_connection import ServerConnection
from services.ingress.sources import ClientAddress, Sources
from services.ingress.transaction import Transaction
from shared.configuration.ingress import IngressSettings
from shared.history.session import RecipientRefused, SessionRefused
from shared.mail.envelope import Client
from shared.mail.reply import Reply
from shared.operations import metrics
from shared.operations.log import emit
from shared.operations.tls import Tls
from shared.routing.router import CurrentRouter

HANDSHAKE_SECONDS = 30.0


@dataclass(frozen=True)
class Ingress:
    """What all sessions of a process share. tls: None where there is no certificate."""

    settings: IngressSettings
    hostname: str
    sources: Sources
    router: CurrentRouter
    tls: Tls | None
    acceptance: Acceptance
    sessions: SessionLimit
    byte_budget: ByteBudget


class ServerSession(ServerConnection):
    """One client's session. A method `smtp_VERB` returns the reply to its command; aiosmtpd finds it by that name."""

    def __init__(
        self,
        ingress: Ingress,
        client: ClientAddress,
        *,
        on_begin: Callable[[ServerConnection], None],
        on_end: Callable[[ServerConnection], None],
    ) -> None:
        super().__init__(ingress.hostname, client, ingress.settings, ingress.sessions, on_begin=on_begin, on_end=on_end)
        self._ingress = ingress
        self._helo: str | None = None
        self._is_extended = False
        self._transaction: Transaction | None = None

    @property
    def is_receiving(self) -> bool:
        """Whether BDAT has begun a message and not ended it."""
        return self._transaction is not None and self._transaction.chunks is not None

    def facts(self) -> dict[str, Any]:
        """Return client, name and sender."""
        sender = {"sender": self._transaction.mail.sender} if self._transaction else {}
        return {**super().facts(), "helo": self._helo, **sender}

    def reset(self) -> None:
        """End the transaction, if there is one."""
        if self._transaction:
            self._transaction.end()
            self._transaction = None

    async def smtp_HELO(self, argument: str) -> Reply:
        """RFC 5321 section 4.1.1.1."""
        helo = commands.hello(argument)
        if isinstance(helo, Refusal):
            return helo
        if self._input.waiting:
            return replies.IMPROPER_PIPELINING
        self.reset()
        self._helo, self._is_extended = helo, False
        return Reply(250, self.hostname)

    async def smtp_EHLO(self, argument: str) -> Reply:
        """RFC 5321 section 4.1.1.1. Nothing may be pipelined past it (RFC 2920 section 3.1)."""
        reply = await self.smtp_HELO(argument)
        if isinstance(reply, Refusal):
            return reply
        self._is_extended = True
        lines = [
            self.hostname,
            f"SIZE {self._settings.max_message_bytes}",
            "8BITMIME",
            "SMTPUTF8",
            "PIPELINING",
            "ENHANCEDSTATUSCODES",
            "CHUNKING",
        ]
        if self._ingress.tls and not self._tls_facts and self._settings.tls.mode != "none":
            lines.append("STARTTLS")
        self._unsent += "".join(f"250-{line}\r\n" for line in lines).encode()
        return Reply(250, "DSN")

    async def smtp_STARTTLS(self, argument: str) -> Reply | None:
        """RFC 3207. Nothing that came before the handshake is used after it (CVE-2011-0411, CVE-2024-34083)."""
        tls = self._ingress.tls
        if tls is None or self._settings.tls.mode == "none":
            return replies.NOT_IMPLEMENTED
        if argument:
            return replies.NO_PARAMETERS_ALLOWED
        if self._tls_facts:
            return replies.TLS_ALREADY_ACTIVE
        await self._flush()
        if self._input.waiting:
            return replies.IMPROPER_PIPELINING
        self._stop_timer()
        self._queue_reply(replies.START_TLS)
        self._write_out()  # and no wait from here on: what comes next goes to the handshake, not to our input
        try:
            transport = await self.loop.start_tls(
                self._wire,
                self,
                Handshake(tls.context(), self._wire.get_extra_info("socket").fileno()),
                server_side=True,
                ssl_handshake_timeout=HANDSHAKE_SECONDS,
            )
        except OSError as error:
            emit(SessionRefused("handshake", str(self._client), cause=str(error)))
            metrics.messages_refused.labels("handshake").inc()
            self._break_off()
            return None
        if transport is None or transport.is_closing():  # the connection was lost, or closed by us, meanwhile
            self._break_off()
            return None
        self._adopt(transport)
        self.reset()
        self._helo = None
        return None

    async def smtp_MAIL(self, argument: str) -> Reply:
        """RFC 5321 section 4.1.1.2. Decides on the client, the spool, and the bytes for the message."""
        if self._helo is None:
            return replies.NEED_EHLO
        if self._settings.tls.mode == "required" and not self._tls_facts:
            return replies.TLS_REQUIRED
        if self._transaction:
            return replies.NESTED_MAIL
        mail = commands.mail(argument)
        if isinstance(mail, Refusal):
            return mail
        source = self._ingress.sources.system_of(self._client, self._certificate_names)
        if source is None:
            return replies.CLIENT_NOT_AUTHORIZED
        size = mail.parameters.size or 0
        if refusal := admit_size(size, self._settings) or self._ingress.acceptance.refusal():
            return refusal
        if not self._ingress.byte_budget.has_room(self._client, size):
            return replies.INSUFFICIENT_RESOURCES
        reservation = self._ingress.byte_budget.reservation(self._client)
        system, proved_by = source
        client = Client(str(self._client), self._helo, self._tls_facts, proved_by)
        budget = ReceiveBudget(self._settings.data_timeout.total_seconds())
        self._transaction = Transaction(mail, system, client, reservation, budget)
        return replies.SENDER_OK

    async def smtp_RCPT(self, argument: str) -> Reply:
        """RFC 5321 section 4.1.1.3. A recipient without a route, or unknown to its system, is refused."""
        transaction = self._transaction
        if transaction is None:
            return replies.NEED_MAIL
        if transaction.chunks is not None:
            return replies.BDAT_IN_PROGRESS
        rcpt = commands.rcpt(argument, smtputf8=transaction.mail.parameters.smtputf8)
        if isinstance(rcpt, Refusal):
            return rcpt
        route = self._ingress.router.current().route(rcpt.address, transaction.source)
        if refused := admit_recipient(route):
            refusal, cause = refused
            emit(RecipientRefused(rcpt.address, transaction.source, cause))
            return refusal
        return transaction.add(rcpt, self._settings.max_recipients)

    async def smtp_DATA(self, argument: str) -> Reply | None:
        """RFC 5321 section 4.1.1.4. Nothing may be pipelined past it (RFC 2920 section 3.1)."""
        transaction = self._transaction
        if argument:
            return replies.NO_PARAMETERS_ALLOWED
        if transaction is None:
            return replies.NEED_MAIL
        if transaction.chunks is not None:
            return replies.BDAT_IN_PROGRESS
        if not transaction.has_recipients:
            return replies.NO_RECIPIENTS
        if self._input.waiting:
            return replies.IMPROPER_PIPELINING
        self._queue_reply(replies.SEND_DATA)
        await self._flush()
        data, refusal, rest = Data(), None, None
        while rest is None:
            if refusal is None:
                piece = await self._content(transaction)
            else:  # the rest has the time that was left, in total
                piece = await self._input.chunk()
            if not piece:
                return None
            rest = data.feed(piece)
            if refusal is None and (refusal := self._reserve(transaction, data.size)):
                data.stop()
        self._input.unread(rest)
        if data.has_ambiguous_end:
            refusal = replies.AMBIGUOUS_END
        if refusal:
            self.reset()
            return refusal
        return await self._accept(transaction, data.content)

    async def smtp_BDAT(self, argument: str) -> Reply | None:
        """RFC 3030. The bytes follow without waiting for a reply, so they are read even if the message is refused."""
        chunk = commands.chunk(argument)
        if isinstance(chunk, Refusal):
            return chunk
        transaction = self._transaction
        refusal: Refusal | None = None
        if transaction is None:
            refusal = replies.NEED_MAIL
        elif not transaction.has_recipients:
            refusal = replies.NO_RECIPIENTS
        else:
            transaction.chunks = bytearray() if transaction.chunks is None else transaction.chunks
            refusal = admit_size(len(transaction.chunks) + chunk.octets, self._settings)
        if refusal:
            self.reset()
            transaction = None
        self._reset_timeout(self._settings.data_timeout.total_seconds())
        left = chunk.octets
        while left:
            if not self._input.waiting:
                await self._flush()
            if transaction is None:
                piece = await self._input.chunk(left)
            else:
                piece = await self._content(transaction, left)
            if not piece:
                return None
            left -= len(piece)
            if transaction is not None and transaction.chunks is not None:
                transaction.chunks += piece
                if refusal := self._reserve(transaction, len(transaction.chunks)):
                    self.reset()
                    transaction = None
        if transaction is None or transaction.chunks is None:
            return refusal
        if not chunk.last:
            return replies.chunk_received(chunk.octets)
        return await self._accept(transaction, transaction.take_chunks)

    async def smtp_RSET(self, argument: str) -> Reply:
        """RFC 5321 section 4.1.1.5."""
        if argument:
            return replies.NO_PARAMETERS_ALLOWED
        self.reset()
        return replies.OK

    async def smtp_NOOP(self, _argument: str) -> Reply:
        """RFC 5321 section 4.1.1.9."""
        return replies.OK

    async def smtp_QUIT(self, argument: str) -> Reply:
        """RFC 5321 section 4.1.1.10."""
        return replies.NO_PARAMETERS_ALLOWED if argument else replies.BYE

    async def smtp_VRFY(self, _argument: str) -> Reply:
        """Never reveals whether a user exists (RFC 5321 section 7.3)."""
        return replies.CANNOT_VERIFY

    async def smtp_HELP(self, _argument: str) -> Reply:
        """RFC 5321 section 4.1.1.8."""
        return replies.HELP

    async def smtp_EXPN(self, _argument: str) -> Reply:
        """Never reveals the members of a list (RFC 5321 section 7.3)."""
        return replies.NOT_IMPLEMENTED

    async def smtp_AUTH(self, _argument: str) -> Reply:
        """Not implemented: a client is identified by its network or its certificate, never by a password."""
        return replies.NOT_IMPLEMENTED

    async def _content(self, transaction: Transaction, limit: int = HIGH_WATER) -> bytes:
        """Return the next bytes of a message; b"" at the end of the input, also where time has run out."""
        self._reset_timeout(transaction.budget.seconds_left)
        began = self.loop.time()
        piece = await self._input.chunk(limit)
        transaction.budget.record(len(piece), self.loop.time() - began)
        return piece

    def _reserve(self, transaction: Transaction, size: int) -> Refusal | None:
        if refusal := admit_size(size, self._settings):
            return refusal
        return None if transaction.reservation.extend(size) else replies.INSUFFICIENT_RESOURCES

    async def _accept(self, transaction: Transaction, take: Callable[[], bytes]) -> Reply:
        """Return the reply once the message is durable or refused. No timer interrupts the write.

        take: returns the content and keeps no copy: one copy is enough while Redis writes.
        """
        self._stop_timer()
        self._is_writing = True
        try:
            envelope = transaction.envelope(time.time())
            return await self._ingress.acceptance.accept(envelope, take, extended=self._is_extended)
        finally:
            self._is_writing = False
            self.reset()
