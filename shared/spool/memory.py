"""What conversion remembers from one message to the next, for example the state of a meeting last sent to each side.

A memory is written in the same atomic step as the deliveries of the message that made it, and only if it has not
changed since it was recalled: otherwise the message is converted again, with the changed memory.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from shared.spool import keys
from shared.spool.operation import Command, Operation


@dataclass(frozen=True, slots=True)
class Memory:
    """What is remembered under a key. version: number of writes, 0 if there was none. value: JSON-ready."""

    version: int = 0
    value: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Remember:
    """A memory to write over the version that was recalled. expires_at: seconds since the epoch."""

    key: str
    version: int
    value: dict[str, Any]
    expires_at: float


def recall(key: str) -> Operation[Memory]:
    """Return what is remembered under the key."""
    version, value = yield Command("HMGET", (keys.memory(key), "version", "value"))
    return Memory(int(version), json.loads(value)) if version else Memory()
