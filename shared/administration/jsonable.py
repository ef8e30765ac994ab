"""The JSON form of the project's values, as the command line, exports and the API write them."""

from __future__ import annotations

import base64
from dataclasses import asdict, is_dataclass
from datetime import UTC, datetime
from typing import Any


def jsonable(value: Any) -> Any:
    """Return the JSON form of a value: dataclasses are objects, bytes are base64.

    Moments, which are the numbers under a key `at` or `…_at`, are ISO 8601 in UTC, as in the log.
    """
    if is_dataclass(value) and not isinstance(value, type):
        value = asdict(value)
    if isinstance(value, dict):
        return {str(key): _moment(part) if _is_moment(key, part) else jsonable(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(part) for part in value]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value if value is None or isinstance(value, str | int | float) else str(value)


def _is_moment(key: Any, value: Any) -> bool:
    return (key == "at" or str(key).endswith("_at")) and isinstance(value, int | float)


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
