"""Accepting messages: the one write after which a 250 may be sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from shared.configuration.redis import Durability
from shared.errors import SpoolTooWeak
from shared.history.message import message_accepted
from shared.mail.envelope import Message
from shared.spool import keys
from shared.spool.operation import Argument, Batch, Command, Operation, Script

WAIT_MILLISECONDS = 5000
"""How long a write may take to reach the replicas before the client is asked to try again."""
CONTENT_SECONDS = 60
"""How long a content is kept without a record, which is missing only after a broken connection or on a full Redis."""


def accept(
    message: Message, *, server: str = "", durability: Durability = "memory", replicas: int = 0
) -> Operation[bool]:
    """Write one message as `accept_all` does; return whether it is new."""
    (is_new,) = yield from accept_all([message], server=server, durability=durability, replicas=replicas)
    return is_new


def accept_all(
    messages: Sequence[Message], *, server: str = "", durability: Durability = "memory", replicas: int = 0
) -> Operation[list[bool]]:
    """Write content, record, history and transform job of all messages, or of none; durable as Redis is on return.

    Returns whether each message is new; a message whose id is already in the spool changes nothing. Raises
    SpoolTooWeak, with no message accepted, if `durability` needs an append-only file and Redis cannot write it, or if
    Redis is not the server whose durability was read (`server`, from SpoolGauge.server). With `replicas`, waits until
    that many replicas have the writes and raises SpoolTooWeak if they do not within WAIT_MILLISECONDS (the messages may
    still be delivered).

    The contents are sent before the script, which would only copy them; a content without a record expires after
    CONTENT_SECONDS.
    """
    requests: list[Command | Script] = [
        Command("SET", (keys.content(message.envelope.id), message.content, "NX", "EX", CONTENT_SECONDS))
        for message in messages
    ]
    demands = (server, int(durability != "memory"))
    requests.append(Script("accept", (*demands, *(part for message in messages for part in _described(message)))))
    if replicas:
        requests.append(Command("WAIT", (replicas, WAIT_MILLISECONDS)))
    answers: list[Any] = yield Batch(requests)
    confirmed = answers.pop() if replicas else replicas
    if messages and not answers[-1]:
        raise SpoolTooWeak("Redis was replaced, or its append-only file turned off, since its durability was read")
    if confirmed < replicas:
        raise SpoolTooWeak(f"{confirmed} of {replicas} replicas confirmed the write")
    return [bool(is_new) for is_new in answers[-1]]


def _described(message: Message) -> tuple[Argument, ...]:
    envelope, size = message.envelope, len(message.content)
    return envelope.id, envelope.to_json(), size, message_accepted(envelope, size).to_note()
