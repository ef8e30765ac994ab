"""Events: one JSON line each on standard error, with the message's id where there is one.

Event names are `noun.verb` in the past tense: `message.accepted`, `delivery.deferred`, `host.down`. Addresses may stand
in events (they are the administrator's log), never in metric labels.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

_log = logging.getLogger("causeway")


class _JsonLines(logging.Formatter):
    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, Any] = getattr(record, "event_fields", {})
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "service": self._service,
            "event": record.getMessage(),
            **fields,
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


def configure(service: str, level: str = "info") -> None:
    """Send every log record of this process to standard error as JSON lines, named after `service`."""
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False  # no line tells of them
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLines(service))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)


def emit(event: str, id: str | None = None, *, level: int = logging.INFO, bug: bool = False, **fields: Any) -> None:
    """Write one event. `id` is the message or delivery id. `bug`: add the traceback of the exception being handled."""
    if not _log.isEnabledFor(level):
        return
    data = {"id": id, **fields} if id else fields
    error = sys.exc_info() if bug else None
    # As `_log.log` would, without looking for the line of code that called: no line tells of that either.
    _log.handle(_log.makeRecord(_log.name, level, "", 0, event, (), error, extra={"event_fields": data}))
