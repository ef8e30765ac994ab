"""The bytes of an SMTP conversation, over aiosmtplib's protocol: commands written together, content sent in pieces.

aiosmtplib does lines, replies, STARTTLS and its injection guard (GHSA-vxj7-4xrp-5vr4); `Protocol` adds pipelining
(RFC 2920) and content at the pace of the peer. All that may go wrong with a peer leaves here as ConversationError.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import cast

from aiosmtplib.errors import SMTPException, SMTPResponseException
from aiosmtplib.esmtp import parse_esmtp_extensions
from aiosmtplib.protocol import SMTPProtocol
from aiosmtplib.response import SMTPResponse

from services.egress.classify import failure_reply
from services.egress.commands import Extensions
from services.egress.wire import END_OF_DATA
from shared.errors import CausewayError
from shared.mail.reply import Reply

COMMANDS_AT_ONCE = 50
"""Commands written before their replies are read: so many replies fit the buffer of aiosmtplib's protocol (32 KiB)."""
PIECE_BYTES = 65_536
MAX_REPLY_CHARACTERS = 1000
"""Kept of a reply: it is stored for every recipient, and appears in logs and reports."""

_GREETING = 220
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
_PEER_ERRORS = (OSError, SMTPException, EOFError, UnicodeError)
"""TimeoutError and TLS errors are kinds of OSError; a name that no certificate can have is a UnicodeError."""


class ConversationError(CausewayError):
    """A conversation cannot go on. reply: the host's own where it refused, else what to record for it."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(str(reply))
        self.reply = reply


@contextmanager
def reply_on_failure(after: str | None) -> Iterator[None]:
    """Turn whatever goes wrong with a peer into a ConversationError. after: see `failure_reply`."""
    try:
        yield
    except _PEER_ERRORS as error:
        raise ConversationError(_reply_to_error(error, after)) from error


class Protocol(SMTPProtocol):
    """One connection. Its methods raise ConversationError; then it is to be aborted."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop=loop)
        self._more_replies = False

    @property
    def tls(self) -> ssl.SSLObject | None:
        """The TLS layer that is in force; None in the clear."""
        return cast("ssl.SSLObject | None", self.transport.get_extra_info("ssl_object")) if self.transport else None

    def data_received(self, data: bytes) -> None:
        """Keep what follows a reply while further ones are awaited; aiosmtplib would drop it.

        A host that sends a reply unasked is disconnected: its next one could be taken for the reply to another command.
        """
        if not self._response_pending:
            self.abort()
        elif self._more_replies and self._is_answered:
            self._buffer.extend(data)
        else:
            super().data_received(data)

    async def greeting(self, seconds: float) -> None:
        """Read the greeting. Raises ConversationError for any but 220."""
        with reply_on_failure("CONNECT"):
            response = await self.read_response(seconds)
            if response.code != _GREETING:
                raise SMTPResponseException(response.code, response.message)
            self._refuse_surplus()

    async def hello(self, hostname: str, seconds: float) -> Extensions:
        """Say EHLO; return what the host offers. Raises ConversationError where it refuses."""
        responses: list[SMTPResponse] = []
        with reply_on_failure("EHLO"):
            name = hostname.encode("idna")
        await self._exchange([b"EHLO " + name], seconds, responses.append)
        has_extensions = not 500 <= responses[0].code < 600
        if not has_extensions:  # RFC 5321 section 3.2
            await self._exchange([b"HELO " + name], seconds, responses.append)
        if not 200 <= responses[-1].code < 300:
            raise ConversationError(_reply(responses[-1]))
        return parse_esmtp_extensions(responses[0].message)[0] if has_extensions else {}

    async def encrypt(self, context: ssl.SSLContext, name: str, seconds: float) -> None:
        """Say STARTTLS and shake hands with a host whose certificate is for `name`."""
        with reply_on_failure("STARTTLS"):
            async with asyncio.timeout(seconds):
                await self.start_tls(context, server_hostname=name, timeout=seconds)

    async def exchange(self, commands: Sequence[bytes], replies: list[Reply], seconds: float) -> None:
        """Write the commands together and add their replies, in order, as they come; `seconds` for each reply."""
        await self._exchange(commands, seconds, lambda response: replies.append(_reply(response)))

    async def _exchange(
        self, commands: Sequence[bytes], seconds: float, received: Callable[[SMTPResponse], None]
    ) -> None:
        if any(_CONTROL.search(command) for command in commands):
            raise ValueError("a control character in an SMTP command")
        awaited = 0
        try:
            for start in range(0, len(commands), COMMANDS_AT_ONCE):
                group, awaited = commands[start : start + COMMANDS_AT_ONCE], start
                self._response_pending = True
                self.write(b"".join(command + b"\r\n" for command in group))
                for awaited in range(start, start + len(group)):
                    self._more_replies = awaited < start + len(group) - 1
                    received(await self._next_response(seconds))
        except _PEER_ERRORS as error:
            raise ConversationError(_reply_to_error(error, _verb(commands[awaited]))) from error
        self._response_pending = False
        self._refuse_surplus()

    async def _next_response(self, seconds: float) -> SMTPResponse:
        self._response_pending = True
        return self._read_response_from_buffer() or await self.read_response(seconds)

    async def transmit(self, content: bytes, seconds: float, commit: Callable[[], None]) -> Reply:
        """Write content and final dot, and return the reply; or an early reply, and then `commit` was not called.

        seconds: for progress of the content, and for the reply.
        """
        after = "DATA"
        try:
            ending = await self._all_but_the_end(content, seconds)
            if ending is not None:
                if not self.is_connected:
                    raise ConnectionResetError
                commit()
                after = "END-OF-MESSAGE"
                self.write(ending)
            response = await self.read_response(seconds)
        except _PEER_ERRORS as error:
            raise ConversationError(_reply_to_error(error, after)) from error
        self._refuse_surplus()
        return _reply(response)

    async def _all_but_the_end(self, content: bytes, seconds: float) -> bytes | None:
        """Write the content in pieces; return what remains to be written, or None once the host has replied."""
        view = memoryview(content)
        last = max(len(view) - PIECE_BYTES, 0)
        self._response_pending = True
        try:
            for start in range(0, last, PIECE_BYTES):
                self.write(cast("bytes", view[start : min(start + PIECE_BYTES, last)]))  # a transport takes any buffer
                async with asyncio.timeout(seconds):
                    await self._drain_helper()
                if self._is_answered:
                    break
        except OSError:
            if not self._is_answered:
                raise
        return None if self._is_answered else bytes(view[last:]) + END_OF_DATA

    @property
    def _is_answered(self) -> bool:
        return self._response_waiter is not None and self._response_waiter.done()

    def _refuse_surplus(self) -> None:
        """Close a connection with more replies than commands: the surplus could be taken for the reply to another."""
        if self._buffer:
            self.abort()

    def abort(self) -> None:
        """Close at once, whatever is under way."""
        if self.transport is not None:
            cast("asyncio.WriteTransport", self.transport).abort()


def _verb(command: bytes) -> str:
    return command.partition(b" ")[0].decode()


def _reply(response: SMTPResponse) -> Reply:
    """Return a reply whose text is one line that may be shown: no control character of a host reaches a terminal."""
    text = response.message.encode("utf-8", "replace").decode()[: 4 * MAX_REPLY_CHARACTERS]
    shown = text if text.isprintable() else "".join(char if char.isprintable() else " " for char in text)
    return Reply.parse(response.code, " ".join(shown.split())[:MAX_REPLY_CHARACTERS])


def _reply_to_error(error: BaseException, after: str | None) -> Reply:
    """Return what to record for a broken conversation: the host's own words where it sent any."""
    if isinstance(error, SMTPResponseException):
        if error.code > 0:
            return _reply(SMTPResponse(error.code, error.message))
        return Reply(451, f"host sent no SMTP reply after {after}", "4.5.0")
    return failure_reply(error.__cause__ if isinstance(error.__cause__, ssl.SSLError) else error, after)
