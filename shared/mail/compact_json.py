"""Values as JSON that takes little room: of a million messages that wait, Redis holds every octet in memory.

What has its default is left out, so a field that is added later is no change to what was written before.
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


def told(value: Any) -> dict[str, Any]:
    """Return the fields of a dataclass by name, without those that have their default; values in them stay values."""
    found = ((name, getattr(value, name), default) for name, default in _defaults(value.__class__))
    return {name: held for name, held, default in found if default is MISSING or held != default}


def write_json(data: Any) -> str:
    """Return JSON without blanks."""
    return _ENCODER.encode(data)
