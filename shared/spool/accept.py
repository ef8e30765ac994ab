"""Accepting a message: the one write after which a 250 may be sent."""

from __future__ import annotations

import json
from typing import Any

from shared.errors import SpoolTooWeak
from shared.mail.envelope import Envelope, Message
from shared.spool.operation import Batch, Command, Operation, Script

WAIT_MILLISECONDS = 5000
"""How long a write may take to reach the replicas before the client is asked to try again."""


def accepted_event(envelope: Envelope, size: int) -> str:
    """Return the first line of a message's history."""
    event = {
        "at": envelope.received_at,
        "event": "accepted",
        "system": envelope.source,
        "client": envelope.client.address,
        "sender": envelope.sender,
        "recipients": [recipient.address for recipient in envelope.recipients],
        "bytes": size,
    }
    return json.dumps(event)


def accept(message: Message, *, replicas: int = 0) -> Operation[bool]:
    """Write record, content, history and transform job at once; durable as Redis is when it returns.

    Returns False, having changed nothing, where the id is that of a message which is here already. With `replicas`,
    waits until so many have the write and raises SpoolTooWeak where they do not in WAIT_MILLISECONDS (the message may
    still be delivered).
    """
    envelope, size = message.envelope, len(message.content)
    write = Script(
        "accept",
        (
            envelope.id,
            json.dumps(envelope.to_json()),
            message.content,
            size,
            accepted_event(envelope, size),
        ),
    )
    if not replicas:
        return bool((yield write))
    answers: list[Any] = yield Batch((write, Command("WAIT", (replicas, WAIT_MILLISECONDS))))
    if answers[1] < replicas:
        raise SpoolTooWeak(f"{answers[1]} of {replicas} replicas confirmed the write")
    return bool(answers[0])
