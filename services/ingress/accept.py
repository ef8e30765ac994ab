"""Acceptance of a message: checks of its content, the Received field, the durable write, and only then the 250."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from services.ingress import replies
from services.ingress.admission import Load, admit, admit_hops, admit_size
from services.ingress.group_commit import GroupCommit
from services.ingress.received import loops, received
from services.ingress.replies import Refusal
from shared.configuration.ingress import IngressSettings
from shared.configuration.redis import RedisSettings
from shared.errors import MalformedMessage, SpoolFull, SpoolTooWeak, SpoolUnavailable
from shared.history.message import message_accepted
from shared.history.spool import SpoolFailed
from shared.mail.envelope import Envelope, Message
from shared.mail.header import read_fields
from shared.mail.line_ends import has_bare_newline, normalize
from shared.mail.mime import DEFAULT_LIMITS
from shared.mail.reply import Reply
from shared.operations import metrics
from shared.operations.log import emit
from shared.spool.accept import accept_all
from shared.spool.operation import AsyncSpool, Operation

MAX_HEADER_BYTES = DEFAULT_LIMITS.header_bytes - 4096
"""Of what the client sends: our own Received field is added to it."""


def examine(content: bytes, hostname: str, settings: IngressSettings) -> bytes | Refusal:
    """Return the content as it may be accepted, or its refusal. Changed only under `bare_newline: normalize`."""
    if has_bare_newline(content):
        if settings.bare_newline == "reject":
            return replies.BARE_NEWLINE
        content = normalize(content)
        if refusal := admit_size(len(content), settings):
            return refusal
    if has_oversized_header(content):
        return replies.HEADER_TOO_LARGE
    return admit_hops(*loops(content, hostname), settings) or content


def has_oversized_header(content: bytes) -> bool:
    """Whether the header exceeds what transform can read: such a message is refused here, not parked later."""
    if len(content) <= MAX_HEADER_BYTES or content.find(b"\r\n\r\n", 0, MAX_HEADER_BYTES) >= 0:
        return False
    try:
        read_fields(content, 0, MAX_HEADER_BYTES)
    except MalformedMessage:
        return True
    return False


class Acceptance:
    """Accepts messages into the spool. `load` returns the latest reading of the spool."""

    def __init__(
        self,
        spool: AsyncSpool,
        load: Callable[[], Load],
        hostname: str,
        settings: IngressSettings,
        redis: RedisSettings,
    ) -> None:
        self._load = load
        self._hostname = hostname
        self._settings = settings
        self._redis = redis
        self._replicas = redis.replicas if redis.durability == "replicated" else 0
        self._commit = GroupCommit(spool, self._write)

    def refusal(self) -> Refusal | None:
        """Return why no mail can be accepted now, or None."""
        return admit(self._load(), time.monotonic(), self._redis)

    async def accept(self, envelope: Envelope, take: Callable[[], bytes], *, extended: bool) -> Reply | Refusal:
        """Make a message durable, then return the reply: 250 makes us responsible for it. take: returns its content."""
        began = time.monotonic()
        message = self._message(envelope, take(), extended=extended)
        if isinstance(message, Refusal):
            return message
        if refusal := self.refusal():
            return refusal
        try:
            if not await self._commit.write(message):
                raise SpoolUnavailable("the random id exists already")
        except SpoolFull:
            return replies.SPOOL_FULL
        except (SpoolUnavailable, SpoolTooWeak) as error:
            emit(SpoolFailed(str(error), envelope.id))
            return replies.SPOOL_UNAVAILABLE
        metrics.messages_accepted.labels(envelope.source).inc()
        metrics.stage_seconds.labels("ingress").observe(time.monotonic() - began)
        emit(message_accepted(envelope, len(message.content)))
        return replies.queued(envelope.id)

    def _message(self, envelope: Envelope, content: bytes, *, extended: bool) -> Message | Refusal:
        """Return the message with our own Received field, or why it cannot be accepted."""
        examined = examine(content, self._hostname, self._settings)
        if isinstance(examined, Refusal):
            return examined
        # A first line that begins with a blank is of the body: behind our field it would continue it.
        separator = b"\r\n" if examined.startswith((b" ", b"\t")) else b""
        return Message(envelope, received(envelope, self._hostname, extended=extended) + separator + examined)

    def _write(self, messages: Sequence[Message]) -> Operation[list[bool]]:
        """Check the load again: a weaker Redis may have taken over while the messages waited for their group."""
        load = self._load()
        if self.refusal() is replies.SPOOL_UNAVAILABLE:
            raise SpoolTooWeak(load.problem or "the last reading of the spool is too old")
        durability = self._redis.durability
        return accept_all(messages, server=load.server, durability=durability, replicas=self._replicas)
