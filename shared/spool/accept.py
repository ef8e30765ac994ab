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
"""How long a content waits for its record, of which only a broken connection or a full Redis can keep it."""


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

    Returns for each whether it is new: one whose id is that of a message which is here already changes nothing. Raises
    SpoolTooWeak, having accepted none, where Redis has no append-only file that it can write and `durability` needs
    one, or is another than the one whose durability was read, `server` (SpoolGauge.server). With `replicas`, waits
    until so many have the writes and raises SpoolTooWeak where they do not in WAIT_MILLISECONDS (the messages may still
    be delivered).

    The contents go ahead of the script, which would only copy them, and stay by themselves for no longer than
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
