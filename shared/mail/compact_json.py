"""Values as compact JSON: Redis holds the records of all waiting messages in memory.

Fields with their default are left out, so adding a field does not change existing records.
"""

from __future__ import annotations

import json
from dataclasses import MISSING, fields
from functools import cache
from typing import Any

_ENCODER = json.JSONEncoder(separators=(",", ":"))
"""Made once: `json.dumps` would make one for each call."""


@cache
def _defaults(kind: Any) -> tuple[tuple[str, Any], ...]:
    return tuple((field.name, field.default) for field in fields(kind))


def without_defaults(value: Any) -> dict[str, Any]:
    """Return the fields of a dataclass by name, without those that have their default; not recursive."""
    found = ((name, getattr(value, name), default) for name, default in _defaults(value.__class__))
    return {name: part for name, part, default in found if default is MISSING or part != default}


def write_json(data: Any) -> str:
    """Return JSON without whitespace."""
    return _ENCODER.encode(data)
