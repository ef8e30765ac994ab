"""The log: one JSON line per event on standard error, with the message's id where there is one.

The events are those of `shared.history`. Addresses may be part of them (it is the administrator's log), but never of
metric labels. `at` is when the event happened, in UTC.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

from shared.history.base import Event

_log = logging.getLogger("causeway")
_ENCODER = json.JSONEncoder(ensure_ascii=False, default=str)
"""Made once: `json.dumps` would make one for each line."""


class _JsonLines(logging.Formatter):
    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, Any] = getattr(record, "event_fields", {})
        at = fields.get("at", record.created)
        line = {
            "at": datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "service": self._service,
            "event": record.getMessage(),
            **{key: value for key, value in fields.items() if key != "at"},
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return _ENCODER.encode(line)


def configure(service: str, level: str = "info") -> None:
    """Send every log record of this process to standard error as JSON lines, named after `service`."""
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False  # not part of a log line
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLines(service))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)


def emit(event: Event, error: BaseException | None = None) -> None:
    """Log an event of the vocabulary. error: an exception whose traceback is added."""
    if not _log.isEnabledFor(event.level):
        return
    trouble = (type(error), error, error.__traceback__) if error else None
    # As `_log.log` does, but without finding the caller, which is not part of a log line.
    extra = {"event_fields": event.facts()}
    _log.handle(_log.makeRecord(_log.name, event.level, "", 0, event.name, (), trouble, extra=extra))
