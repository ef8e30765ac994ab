"""Writing settlements: the results of leased jobs, atomically with their events and the jobs of the next stage.

A settlement counts only while the record holds the token of its lease, so a worker that lost its lease changes nothing.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

from shared.history.base import HistoryEvent
from shared.history.delivery import DeliveryCrashed, DeliveryStale
from shared.history.message import MessageCrashed, MessageStale, message_accepted
from shared.mail.edits import encode
from shared.mail.envelope import Message
from shared.operations.log import emit
from shared.spool import keys
from shared.spool.operation import Argument, Operation, Script
from shared.spool.presence import Shift
from shared.spool.settlement import Crashed, Finished, Parked, Retry, Settlement, Transformed, events_of

CRASH_DELAY_SECONDS = 5.0
"""Wait before the next attempt after an unexpected exception, multiplied by the number of such attempts."""

Events = tuple[HistoryEvent, ...]


class _Arguments:
    """The binary arguments of one settle script; `place` stores a value and returns its index in the script."""

    def __init__(self) -> None:
        self.values: list[Argument] = []

    def place(self, value: bytes | str) -> int:
        self.values.append(value)
        return len(self.values)


def _report(report: Message, parent: str, arguments: _Arguments) -> dict[str, Any]:
    size = len(report.content)
    return {
        "id": report.envelope.id,
        "size": size,
        "envelope": arguments.place(report.envelope.to_json()),
        "content": arguments.place(report.content),
        "event": arguments.place(message_accepted(report.envelope, size, parent).to_note()),
    }


def _described(settlement: Settlement, events: Events, arguments: _Arguments) -> dict[str, Any]:
    lease = settlement.lease
    written: dict[str, Any] = {"queue": lease.queue, "id": lease.id, "token": lease.token, "reports": []}
    written["events"] = [arguments.place(event.to_note()) for event in events]
    match settlement:
        case Transformed(deliveries=deliveries, memories=memories):
            written["kind"] = "transformed"
            written["deliveries"] = [
                {
                    "id": new.delivery.id,
                    "queue": keys.egress(new.delivery.system),
                    "size": new.delivery.size,
                    "delivery": arguments.place(new.delivery.to_json()),
                    "edits": arguments.place(encode(new.edits)),
                }
                for new in deliveries
            ]
            written["memories"] = [
                {
                    "key": memory.key,
                    "version": memory.version,
                    "expires_at": int(memory.expires_at),
                    "value": arguments.place(json.dumps(memory.value)),
                }
                for memory in memories
            ]
        case Finished():
            written["kind"] = "finished"
        case Retry(delay_seconds=delay, unserved_seconds=unserved):
            written |= {"kind": "retry", "delay": delay}
            if unserved is not None:
                written["unserved"] = unserved
        case Crashed(cause=cause):
            written |= {"kind": "crashed", "cause": cause, "delay": CRASH_DELAY_SECONDS * (lease.crashes + 1)}
        case Parked(reason=reason, detail=detail):
            written |= {"kind": "parked", "reason": reason, "detail": detail}
    if isinstance(settlement, Retry | Parked) and settlement.delivery is not None:
        written["delivery"] = arguments.place(settlement.delivery.to_json())
    if not isinstance(settlement, Crashed):
        written["reports"] = [_report(report, lease.id, arguments) for report in settlement.reports]
    return written


def write_settlements(
    settlements: Sequence[Settlement],
    *,
    hosted: bool = False,
    max_crashes: int = 3,
    history_seconds: float = 86_400,
    shift: Shift | None = None,
) -> Operation[Mapping[str, Events]]:
    """Write all settlements in one atomic step; return the events that were written with each, by the id of its lease.

    A stale one, for which nothing was done, is missing from the answer. Reports count among the events.
    hosted: a stock `rq worker` runs the job and keeps its RQ keys itself. history_seconds: how long the history of a
    message that is done with stays. shift: counted for the worker as RQ counts: a retry is a failed run too.
    """
    if not settlements:
        return {}
    now, arguments = time.time(), _Arguments()
    events = [events_of(settlement, now, max_crashes) for settlement in settlements]
    described = [_described(*pair, arguments) for pair in zip(settlements, events, strict=True)]
    text = json.dumps(described, ensure_ascii=False).encode(errors="replace")  # Redis reads no lone surrogate
    worker = (shift.worker, shift.state, round(shift.seconds, 3)) if shift else ("", "", 0)
    head = (text, int(hosted), max_crashes, int(history_seconds), *worker)
    stale = {id.decode() for id in (yield Script("write_settlements", (*head, *arguments.values)))}
    pairs = zip(settlements, events, strict=True)
    return {
        settlement.lease.id: (*noted, *_accepted(settlement))
        for settlement, noted in pairs
        if settlement.lease.id not in stale
    }


def _accepted(settlement: Settlement) -> Events:
    """Return the first events of the reports and extra messages that were accepted with a settlement."""
    if isinstance(settlement, Crashed):
        return ()
    parent = settlement.lease.id
    return tuple(message_accepted(report.envelope, len(report.content), parent) for report in settlement.reports)


def log_settlement(settlement: Settlement, written: Events | None) -> None:
    """Log the events of a settlement (None: it was stale). The traceback of its exception is logged in either case."""
    error = settlement.error if isinstance(settlement, Crashed | Parked) else None
    if written is None:
        lease = settlement.lease
        emit((MessageStale if lease.queue == keys.TRANSFORM else DeliveryStale)(lease.id), error)
        return
    for event in written:
        emit(event, error if isinstance(event, _WITH_TRACEBACK) else None)


_WITH_TRACEBACK = (MessageCrashed, DeliveryCrashed)
