"""Values as compact JSON: Redis holds the records of all waiting messages in memory.

Fields with their default are left out, so adding a field does not change existing records.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import MISSING, fields
from functools import cache
from operator import attrgetter
from typing import Any

_ENCODER = json.JSONEncoder(separators=(",", ":"))
"""Made once: `json.dumps` would make one for each call."""


@cache
def _shape(kind: Any) -> tuple[tuple[str, ...], tuple[Any, ...], Callable[[Any], tuple[Any, ...]]]:
    """Return the names and defaults of a dataclass' fields, and what reads all of them at once."""
    names = tuple(field.name for field in fields(kind))
    read = attrgetter(*names) if len(names) > 1 else lambda value: tuple(getattr(value, name) for name in names)
    return names, tuple(field.default for field in fields(kind)), read


def without_defaults(value: Any) -> dict[str, Any]:
    """Return the fields of a dataclass by name, without those that have their default; values in them stay values."""
    names, defaults, read = _shape(value.__class__)
    found = zip(names, read(value), defaults, strict=True)
    return {name: part for name, part, default in found if default is MISSING or part != default}


def write_json(data: Any) -> str:
    """Return JSON without whitespace."""
    return _ENCODER.encode(data)
