"""All events by name, and how one is read from JSON."""

from __future__ import annotations

import json
from types import ModuleType
from typing import Any

from shared.history import attempt, configuration, conversion, delivery, host, message, process, session, spool, worker
from shared.history.base import Event, HistoryEvent, restore

MODULES = (message, conversion, delivery, attempt, session, host, worker, spool, process, configuration)


def _events_of(module: ModuleType) -> list[type[Event]]:
    values = [value for value in vars(module).values() if isinstance(value, type) and issubclass(value, Event)]
    return [kind for kind in values if kind.__module__ == module.__name__ and hasattr(kind, "name")]


EVENTS: dict[str, type[Event]] = {kind.name: kind for module in MODULES for kind in _events_of(module)}
"""In the order of the docs."""


def from_json(text: str | bytes) -> Event:
    """Restore an event that `to_json` wrote. Raises ValueError for a name that is not in the vocabulary."""
    return _event(json.loads(text))


def from_note(text: str | bytes, message_id: str) -> HistoryEvent:
    """Restore an event that `to_note` wrote to a message's history. Raises ValueError for any other text."""
    data = json.loads(text)
    id = data.get("id", "")
    event = _event({**data, "id": id if id and not id.startswith("-") else message_id + id})
    if not isinstance(event, HistoryEvent):
        raise ValueError(f'not an event of a history: "{event.name}"')
    return event


def _event(data: dict[str, Any]) -> Event:
    name = data.get("event")
    if name not in EVENTS:
        raise ValueError(f'not an event of this release: "{name}"')
    return restore(EVENTS[name], data)
