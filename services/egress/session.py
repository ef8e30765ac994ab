"""One SMTP connection to one smart host, over aiosmtplib: opened at its TLS level, then message after message.

`open_session` and `send` never raise for what a host does: a Reply or a Result tells it. aiosmtplib's protocol does
lines, STARTTLS and its injection guard (GHSA-vxj7-4xrp-5vr4); `_Protocol` adds commands written together (RFC 2920)
and content sent in pieces at the pace of the peer.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

from aiosmtplib.errors import SMTPException, SMTPResponseException
from aiosmtplib.esmtp import parse_esmtp_extensions
from aiosmtplib.protocol import SMTPProtocol
from aiosmtplib.response import SMTPResponse

from services.egress.addresses import Addresses, HostAddresses, NoAddress
from services.egress.balance import Host
from services.egress.classify import SHUTTING_DOWN, Trouble, failure
from services.egress.transaction import Extensions, Plan, Transaction, plan
from services.egress.verdict import Result, after_content, before_content, broken_content
from services.egress.wire import END_OF_DATA, stuffed
from shared.mail.reply import Reply

COMMANDS_AT_ONCE = 50
"""Commands written before their replies are read: so many replies fit the buffer of aiosmtplib's protocol (32 KiB)."""
PIECE_OCTETS = 65_536
QUIT_SECONDS = 5.0

_GREETING, _START_INPUT = 220, 354
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
MAX_REPLY_CHARACTERS = 1000
"""Kept of a reply: it is stored for every recipient, and stands in logs and reports."""
_Broken = (OSError, SMTPException, TimeoutError, EOFError, UnicodeError)
"""What may go wrong with a peer. A TLS error is an OSError; a name that no certificate can have is a UnicodeError."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds: to look up, connect or shake hands; for a reply to a command; for progress of the content, its reply."""

    connect: float
    command: float
    data: float


async def open_session(
    host: Host, *, hostname: str, context: ssl.SSLContext | None, timeouts: Timeouts, addresses: HostAddresses
) -> Session | Reply:
    """Connect, greet as `hostname` and encrypt as the host's TLS level demands; a Reply says why that was not possible.

    NoAddress is one that says nothing about the host.

    Under `required`, `verify` and `implicit` a session is always encrypted. Under `opportunistic` a failed handshake is
    followed by a connection in the clear. context: None only for `tls: none`.
    """
    session = await _open(host, hostname, context, timeouts, addresses)
    if isinstance(session, Session) and host.settings.tls in ("required", "verify") and not session.encrypted:
        session.abort()  # whatever led here: nothing of a message may follow
        return Reply(454, "TLS is required, and the connection is not encrypted", "4.7.4")
    return session


async def _open(
    host: Host, hostname: str, context: ssl.SSLContext | None, timeouts: Timeouts, addresses: HostAddresses
) -> Session | Reply:
    level, implicit = host.settings.tls, host.settings.implicit
    session = await _connect(host, hostname, timeouts, addresses, implicit_tls=context if implicit else None)
    if implicit or level == "none" or isinstance(session, Reply):
        return session
    if "starttls" in session.extensions:
        assert context
        try:
            await session.encrypt(context)
        except _Broken as error:
            session.abort()
            if level == "opportunistic":
                return await _connect(host, hostname, timeouts, addresses)
            return _reply_of(error)
        except BaseException:
            session.abort()
            raise
    elif level != "opportunistic":
        await session.quit()
        return Reply(454, "TLS is required, and the host offers no STARTTLS", "4.7.4")
    return session


async def _connect(
    host: Host,
    hostname: str,
    timeouts: Timeouts,
    addresses: HostAddresses,
    *,
    implicit_tls: ssl.SSLContext | None = None,
) -> Session | Reply:
    """Return a session that has greeted."""
    found = await addresses.of(host.name, patience=timeouts.connect)
    if isinstance(found, NoAddress):
        return found
    try:
        session = Session(host, hostname, await _reach(host, found, timeouts.connect, implicit_tls), timeouts)
    except _Broken as error:
        return _reply_of(error)
    try:
        await session.greet()
    except _Broken as error:
        session.abort()
        return _reply_of(error)
    except BaseException:
        session.abort()
        raise
    return session


async def _reach(host: Host, addresses: Addresses, seconds: float, tls: ssl.SSLContext | None) -> _Protocol:
    """Connect to the first address that takes the connection; each has its share of the seconds. Raises _Broken."""
    loop = asyncio.get_running_loop()
    name = _certificate_name(host) if tls else None
    end = loop.time() + seconds
    for left in range(len(addresses), 0, -1):
        try:
            async with asyncio.timeout((end - loop.time()) / left):
                _, protocol = await loop.create_connection(
                    lambda: _Protocol(loop), addresses[-left], host.port, ssl=tls, server_hostname=name
                )
                return protocol
        except OSError as error:  # TimeoutError and SSLError are kinds of OSError
            if left == 1 or isinstance(error, ssl.SSLError):
                raise
    raise AssertionError("a host has an address")


def _certificate_name(host: Host) -> str:
    return host.settings.name or host.name


def _reply(response: SMTPResponse) -> Reply:
    """Return a reply whose text is one line that may be shown: no control character of a host reaches a terminal."""
    text = response.message.encode("utf-8", "replace").decode()[: 4 * MAX_REPLY_CHARACTERS]
    shown = "".join(character if character.isprintable() else " " for character in text)
    return Reply.parse(response.code, " ".join(shown.split())[:MAX_REPLY_CHARACTERS])


def _reply_of(error: BaseException) -> Reply:
    """Return what to write down for a broken session: the host's own words where it said any."""
    if isinstance(error, SMTPResponseException) and error.code > 0:
        return _reply(SMTPResponse(error.code, error.message))
    if isinstance(error, SMTPResponseException):
        return Reply(451, "the host does not speak SMTP", "4.5.0")
    return failure(error.__cause__ if isinstance(error.__cause__, ssl.SSLError) else error)


class Session:
    """A greeted connection. reused: it has carried a message before, so it may have died in the meantime."""

    def __init__(self, host: Host, hostname: str, protocol: _Protocol, timeouts: Timeouts) -> None:
        self.host = host
        self.extensions: Extensions = {}
        self.encrypted = False
        self.reused = False
        self.opened_at = asyncio.get_running_loop().time()
        self._hostname = hostname
        self._protocol = protocol
        self._timeouts = timeouts

    @property
    def is_open(self) -> bool:
        """Whether the connection still stands, as far as is known."""
        return self._protocol.is_connected

    @property
    def tls(self) -> ssl.SSLObject | None:
        """The encryption of the connection: its version and cipher, the host's certificate."""
        return self._protocol.tls

    async def greet(self) -> None:
        """Read the greeting and say EHLO. Raises _Broken."""
        self.encrypted = self._protocol.is_encrypted
        greeting = await self._protocol.read_response(self._timeouts.command)
        if greeting.code != _GREETING:
            raise SMTPResponseException(greeting.code, greeting.message)
        self._protocol.refuse_surplus()
        await self._hello()

    async def encrypt(self, context: ssl.SSLContext) -> None:
        """Change to TLS by STARTTLS; what was offered before is forgotten (RFC 3207 section 4.2). Raises _Broken."""
        name = _certificate_name(self.host)
        async with asyncio.timeout(self._timeouts.connect):
            await self._protocol.start_tls(context, server_hostname=name, timeout=self._timeouts.connect)
        self.encrypted = self._protocol.is_encrypted
        await self._hello()

    async def _hello(self) -> None:
        hello = await self._ask(b"EHLO " + self._hostname.encode("idna"))
        if hello.code in (500, 502):  # RFC 5321 section 3.2: a host without extensions
            hello = await self._ask(b"HELO " + self._hostname.encode("idna"))
            self.extensions = {}
        else:
            self.extensions, _ = parse_esmtp_extensions(hello.message)
        if not 200 <= hello.code < 300:
            raise SMTPResponseException(hello.code, hello.message)

    async def _ask(self, command: bytes) -> SMTPResponse:
        replies: list[SMTPResponse] = []
        await self._protocol.exchange([command], replies, self._timeouts.command)
        return replies[0]

    async def send(self, transaction: Transaction, committed: Callable[[], None] = lambda: None) -> Result:
        """Carry one message; `committed` is called before the final dot goes out: from then on it must not be stopped.

        Recipients are known by their `address`. One without an outcome in the result is untouched: another host, or
        where there is no trouble another transaction, may serve it.
        """
        what = plan(transaction, self.extensions, self.host.key)
        if not what.rcpts:
            return Result(what.refused)
        replies: list[SMTPResponse] = []
        lost: Reply | None = None
        try:
            await self._say(what, replies)
        except _Broken as error:
            lost = _reply_of(error)
        except BaseException:
            self.abort()
            raise
        said = [_reply(one) for one in replies]
        data = said[len(what.rcpts) + 1] if len(said) == len(what.rcpts) + 2 else None
        result, accepted = before_content(what, said, lost, self.host.key)
        if result.trouble is Trouble.HOST:
            self.abort()
        elif accepted and data is not None:
            final = await self._deliver(what, accepted, data, committed)
            return Result((*result.outcomes, *final.outcomes), final.trouble, final.reply)
        else:
            await self._abandon(data, anybody=any(reply.is_positive for reply in said[1 : len(what.rcpts) + 1]))
        return result

    async def _say(self, what: Plan, replies: list[SMTPResponse]) -> None:
        """Send MAIL, RCPT and DATA, together if the host allows it, and add the replies that come, in their order."""
        commands = [what.mail, *what.rcpts.values(), b"DATA"]
        if "pipelining" in self.extensions:
            await self._protocol.exchange(commands, replies, self._timeouts.command)
            return
        for command in commands[:-1]:
            replies.append(await self._ask(command))
            if replies[0].code // 100 != 2 or replies[-1].code == SHUTTING_DOWN:
                return
        if any(reply.code // 100 == 2 for reply in replies[1:]):
            replies.append(await self._ask(commands[-1]))

    async def _deliver(self, what: Plan, accepted: list[str], start: Reply, committed: Callable[[], None]) -> Result:
        """Send the content and give its reply to every accepted recipient."""
        if start.code != _START_INPUT:
            await self._abandon(None, anybody=True)
            return after_content(what, accepted, start, self.host.key, complete=False)
        complete = False

        def commit() -> None:
            nonlocal complete
            complete = True
            committed()

        try:
            reply = _reply(await self._protocol.transmit(stuffed(what.content), self._timeouts.data, commit))
        except _Broken as error:
            self.abort()
            return broken_content(accepted, _reply_of(error), self.host.key, complete=complete)
        except BaseException:
            self.abort()
            raise
        if not complete or reply.code == SHUTTING_DOWN:  # answered in the middle: the rest would be taken for commands
            self.abort()
        return after_content(what, accepted, reply, self.host.key, complete=complete)

    async def _abandon(self, data: Reply | None, *, anybody: bool) -> None:
        """Leave a transaction without a message, so that the session can carry another one; else close it.

        anybody: a recipient was accepted, so that even a lone dot would be a message.
        """
        waits_for_content = data is not None and data.code == _START_INPUT
        if waits_for_content and anybody:
            self.abort()
            return
        try:
            if waits_for_content:  # RFC 2920 section 3.1: DATA went along with the rest
                await self._protocol.transmit(b"", self._timeouts.command, lambda: None)
            if (await self._ask(b"RSET")).code // 100 != 2:
                self.abort()  # the next message would be taken for a part of this transaction
        except _Broken:
            self.abort()

    async def quit(self) -> None:
        """Say QUIT and close, however the host answers."""
        try:
            if self.is_open:
                await self._protocol.exchange([b"QUIT"], [], QUIT_SECONDS)
        except _Broken:
            pass
        finally:
            self.abort()

    def abort(self) -> None:
        """Close at once."""
        self._protocol.abort()


class _Protocol(SMTPProtocol):
    """aiosmtplib's protocol, with several commands or a large content under way at a time."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop=loop)
        self._more_replies = False

    @property
    def tls(self) -> ssl.SSLObject | None:
        """What is written now goes through; None in the clear."""
        return cast("ssl.SSLObject | None", self.transport.get_extra_info("ssl_object")) if self.transport else None

    @property
    def is_encrypted(self) -> bool:
        """Whether what is written now goes through TLS."""
        return self.tls is not None

    def data_received(self, data: bytes) -> None:
        """Keep what follows a reply while further ones are awaited; aiosmtplib would drop it.

        A host that speaks unasked is left: what it says next could be taken for the answer to another command.
        """
        if not self._response_pending:
            self.abort()
        elif self._more_replies and self._is_answered:
            self._buffer.extend(data)
        else:
            super().data_received(data)

    async def exchange(self, commands: Sequence[bytes], replies: list[SMTPResponse], seconds: float) -> None:
        """Write the commands together and add their replies, in order, as they come. Raises when one does not come."""
        if any(_CONTROL.search(command) for command in commands):
            raise ValueError("a control character in an SMTP command")
        for start in range(0, len(commands), COMMANDS_AT_ONCE):
            group = commands[start : start + COMMANDS_AT_ONCE]
            self._response_pending = True
            self.write(b"".join(command + b"\r\n" for command in group))
            for left in range(len(group) - 1, -1, -1):
                self._more_replies = left > 0
                replies.append(await self._next_reply(seconds))
        self._response_pending = False
        self.refuse_surplus()

    async def _next_reply(self, seconds: float) -> SMTPResponse:
        self._response_pending = True
        return self._read_response_from_buffer() or await self.read_response(seconds)

    async def transmit(self, content: bytes, seconds: float, commit: Callable[[], None]) -> SMTPResponse:
        """Write content and final dot, and return the reply; or an early reply, and then `commit` was not called."""
        view = memoryview(content)
        last = max(len(view) - PIECE_OCTETS, 0)
        self._response_pending = True
        try:
            for start in range(0, last, PIECE_OCTETS):
                self.write(cast("bytes", view[start : min(start + PIECE_OCTETS, last)]))  # a transport takes any buffer
                async with asyncio.timeout(seconds):
                    await self._drain_helper()
                if self._is_answered:
                    break
        except OSError:
            if not self._is_answered:
                raise
        if not self._is_answered:
            ending = bytes(view[last:]) + END_OF_DATA
            if not self.is_connected:
                raise ConnectionResetError
            commit()
            self.write(ending)
        reply = await self.read_response(seconds)
        self.refuse_surplus()
        return reply

    @property
    def _is_answered(self) -> bool:
        return self._response_waiter is not None and self._response_waiter.done()

    def refuse_surplus(self) -> None:
        """Close a connection on which more was said than was asked: its next words could be taken for other answers."""
        if self._buffer:
            self.abort()

    def abort(self) -> None:
        """Close at once, whatever is under way."""
        if self.transport is not None:
            cast("asyncio.WriteTransport", self.transport).abort()
