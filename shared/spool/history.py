"""A message's history: its events, kept with the message and for a while after it is finished."""

from __future__ import annotations

from contextlib import suppress

from shared.history.base import HistoryEvent
from shared.history.vocabulary import from_note
from shared.spool import keys
from shared.spool.operation import Command, Operation


def read_history(message_id: str) -> Operation[list[HistoryEvent]]:
    """Return the events of a message, oldest first; empty for an unknown id.

    Events that only a newer release knows are left out.
    """
    texts = yield Command("LRANGE", (keys.history(message_id), 0, -1))
    events: list[HistoryEvent] = []
    for text in texts:
        with suppress(ValueError):
            events.append(from_note(text, message_id))
    return events
