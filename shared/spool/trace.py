"""A message's history: one event a write, kept with the message and for a while after it is done with."""

from __future__ import annotations

import json
from typing import Any

from shared.spool import keys
from shared.spool.operation import Command, Operation


def trace(message_id: str) -> Operation[list[dict[str, Any]]]:
    """Return what happened to a message, oldest first, or nothing for an unknown id. `at`: seconds since the epoch."""
    events = yield Command("LRANGE", (keys.history(message_id), 0, -1))
    return [json.loads(event) for event in events]
