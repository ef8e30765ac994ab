"""What every event is: a frozen value with a name, a level, and a JSON form that restores an equal value.

A name is `noun.verb`, the verb in the past tense. Fields are text, numbers and truth values, which may be optional, and
tuples of them or of dataclasses of such fields. Times are seconds since the epoch; names of durations end in `seconds`.
A field that has its default is left out of the JSON, so that fields can be added later.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from typing import Any, ClassVar, TypeVar, get_args, get_origin, get_type_hints

from shared.mail.compact_json import without_defaults, write_json

E = TypeVar("E", bound="Event")

_SCALARS = frozenset({str, int, float, bool, type(None)})


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened. name: unique in the vocabulary. level: that of its line in the log."""

    name: ClassVar[str]
    level: ClassVar[int] = logging.INFO

    def facts(self) -> dict[str, Any]:
        """Return the fields as JSON has them, in order, without those that have their default."""
        return _facts(self)

    def to_json(self) -> str:
        """Return the event as one JSON object: its name under `event`, then its fields."""
        return write_json({"event": self.name, **self.facts()})


@dataclass(frozen=True, slots=True)
class HistoryEvent(Event):
    """An event of one message, kept in its history.

    id: of the message, or of the delivery that it happened to. at: seconds since the epoch.
    """

    id: str
    at: float

    @property
    def message_id(self) -> str:
        """The id of the message; a delivery's id is that of its message, "-" and its system."""
        return self.id.partition("-")[0]

    def to_note(self) -> str:
        """Return the JSON that a message's history holds: of `id` only what follows the message's, if anything does.

        Redis holds it for each of a million messages, and the key of the history has the message's id already.
        """
        facts = self.facts()
        facts["id"] = self.id.removeprefix(self.message_id)
        if not facts["id"]:
            del facts["id"]
        return write_json({"event": self.name, **facts})


def moment(seconds: float) -> float:
    """Return a time as events have it: to the millisecond, which is shorter in JSON."""
    return round(seconds, 3)


def restore(kind: type[E], data: dict[str, Any]) -> E:
    """Return the event of a kind with the fields that `facts` gave; those that the kind does not have are ignored."""
    restored: E = _restored(kind, data)
    return restored


def _facts(value: Any) -> dict[str, Any]:
    facts = without_defaults(value)
    for key, part in facts.items():
        if part.__class__ is tuple:
            facts[key] = [item if item.__class__ in _SCALARS else _facts(item) for item in part]
    return facts


def _restored(kind: type[Any], data: dict[str, Any]) -> Any:
    readers = _readers(kind)  # type: ignore[arg-type]
    return kind(**{key: readers[key](value) for key, value in data.items() if key in readers})


@cache
def _readers(kind: type[Any]) -> dict[str, Callable[[Any], Any]]:
    hints = get_type_hints(kind)
    return {field.name: _reader(hints[field.name]) for field in fields(kind)}


def _reader(hint: Any) -> Callable[[Any], Any]:
    if get_origin(hint) is tuple:
        read = _reader(get_args(hint)[0])
        return lambda values: tuple(read(value) for value in values)
    if isinstance(hint, type) and is_dataclass(hint):
        return lambda data: _restored(hint, data)
    return lambda value: value
