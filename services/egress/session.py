"""One open SMTP session with one smart host: message after message, each a transaction.

`send` never raises for what a host does: a Result says it.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from services.egress.balance import Host
from services.egress.classify import SHUTTING_DOWN, Trouble
from services.egress.commands import Commands, Extensions, OutgoingMessage, commands_for
from services.egress.protocol import ConversationError, Protocol
from services.egress.verdict import Result, after_content, before_content, broken_content
from services.egress.wire import stuffed
from shared.mail.delivery import DeliveryRecipient
from shared.mail.reply import Reply

QUIT_SECONDS = 5.0
_START_INPUT = 354


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds: to look up, connect or shake hands; for a reply to a command; for progress of the content, its reply."""

    connect: float
    command: float
    data: float


class Session:
    """A greeted connection. reused: it has carried a message before, so it may have died in the meantime.

    clear_cause: why an `opportunistic` session is not encrypted; None for any other.
    """

    def __init__(self, host: Host, protocol: Protocol, extensions: Extensions, timeouts: Timeouts) -> None:
        self.host = host
        self.protocol = protocol
        self.extensions = extensions
        self.encrypted = protocol.tls is not None
        self.clear_cause: str | None = None
        self.reused = False
        self.opened_at = asyncio.get_running_loop().time()
        self._timeouts = timeouts

    @property
    def is_open(self) -> bool:
        """Whether the connection is open, as far as is known."""
        return self.protocol.is_connected

    @property
    def tls(self) -> ssl.SSLObject | None:
        """The TLS layer of the connection: its version and cipher, the host's certificate; None in the clear."""
        return self.protocol.tls

    async def send(
        self,
        message: OutgoingMessage,
        recipients: Sequence[DeliveryRecipient],
        commit: Callable[[], None] = lambda: None,
    ) -> Result:
        """Carry one message to some recipients; `commit` is called before the final dot goes out.

        A recipient without an outcome in the result is undecided: another host, or where there is no failure another
        transaction, may serve it.
        """
        commands = commands_for(message, recipients, self.extensions, self.host.key)
        if not commands.rcpts:
            return Result(commands.refused)
        try:
            return await self._transaction(commands, commit)
        except BaseException:
            self.abort()
            raise

    async def _transaction(self, commands: Commands, commit: Callable[[], None]) -> Result:
        replies: list[Reply] = []
        lost: Reply | None = None
        try:
            await self._send_envelope(commands, replies)
        except ConversationError as error:
            lost = error.reply
        result, accepted = before_content(commands, replies, lost, self.host.key)
        data = replies[-1] if len(replies) == len(commands.rcpts) + 2 else None
        if result.failure and result.failure.trouble is Trouble.HOST:
            self.abort()
        elif accepted and data is not None:
            final = await self._send_content(commands, accepted, data, commit)
            return Result((*result.outcomes, *final.outcomes), final.failure)
        else:
            await self._reset(
                data, any_accepted=any(reply.is_positive for reply in replies[1 : len(commands.rcpts) + 1])
            )
        return result

    async def _send_envelope(self, commands: Commands, replies: list[Reply]) -> None:
        """Send MAIL, RCPT and DATA, together if the host allows it, and add the replies as they come, in order."""
        mail, rcpts = commands.mail, commands.rcpts.values()
        if "pipelining" in self.extensions:
            await self.protocol.exchange([mail, *rcpts, b"DATA"], replies, self._timeouts.command)
            return
        for command in (mail, *rcpts):
            await self.protocol.exchange([command], replies, self._timeouts.command)
            if not replies[0].is_positive or replies[-1].code == SHUTTING_DOWN:
                return
        if any(reply.is_positive for reply in replies[1:]):
            await self.protocol.exchange([b"DATA"], replies, self._timeouts.command)

    async def _send_content(
        self, commands: Commands, accepted: list[str], start: Reply, commit: Callable[[], None]
    ) -> Result:
        """Send the content; its reply is for every accepted recipient. start: the reply to DATA."""
        if start.code != _START_INPUT:
            await self._reset(None, any_accepted=True)
            return after_content(commands, accepted, start, self.host.key, complete=False)
        complete = False

        def committed() -> None:
            nonlocal complete
            complete = True
            commit()

        try:
            reply = await self.protocol.transmit(stuffed(commands.content), self._timeouts.data, committed)
        except ConversationError as error:
            self.abort()
            return broken_content(accepted, error.reply, self.host.key, complete=complete)
        if not complete or reply.code == SHUTTING_DOWN:  # replied in the middle: the rest would be taken for commands
            self.abort()
        return after_content(commands, accepted, reply, self.host.key, complete=complete)

    async def _reset(self, data: Reply | None, *, any_accepted: bool) -> None:
        """End a transaction without a message, so that the session can carry another one; else close it.

        data: the reply to DATA, where it was sent. any_accepted: a recipient was accepted, so that even a lone dot
        would be a message.
        """
        waits_for_content = data is not None and data.code == _START_INPUT
        if waits_for_content and any_accepted:
            self.abort()
            return
        replies: list[Reply] = []
        try:
            if waits_for_content:  # RFC 2920 section 3.1: DATA went along with the rest
                await self.protocol.transmit(b"", self._timeouts.command, lambda: None)
            await self.protocol.exchange([b"RSET"], replies, self._timeouts.command)
        except ConversationError:
            self.abort()
            return
        if not replies[0].is_positive:
            self.abort()  # the next message would be taken for a part of this transaction

    async def quit(self) -> None:
        """Say QUIT and close, however the host replies."""
        try:
            if self.is_open:
                with suppress(ConversationError):
                    await self.protocol.exchange([b"QUIT"], [], QUIT_SECONDS)
        finally:
            self.abort()

    def abort(self) -> None:
        """Close at once."""
        self.protocol.abort()
