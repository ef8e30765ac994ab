"""Settlements: what a worker made of the jobs it leased, written at once with the jobs of the next stage.

A settlement counts only while the record bears the token of its lease, so a worker that was given up changes nothing.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from shared.mail.compact_json import write_json
from shared.mail.delivery import Delivery
from shared.mail.edits import Edit, encode
from shared.mail.envelope import Message
from shared.spool import keys
from shared.spool.accept import accepted_event
from shared.spool.lease import Lease
from shared.spool.memory import Remember
from shared.spool.operation import Argument, Operation, Script

CRASH_DELAY_SECONDS = 5.0
"""How long a message that met a bug waits for its next try."""


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """A delivery that conversion made, with the edits that its content needs."""

    delivery: Delivery
    edits: tuple[Edit, ...]


@dataclass(frozen=True, slots=True)
class Transformed:
    """The message is converted: one delivery a system. Without any, it is done with.

    reports: further messages, accepted in the same write. memories: where one was written by somebody else since it was
    recalled, nothing of this is, and the message is converted again.
    """

    lease: Lease
    deliveries: tuple[NewDelivery, ...]
    reports: tuple[Message, ...] = ()
    memories: tuple[Remember, ...] = ()


@dataclass(frozen=True, slots=True)
class Finished:
    """Every recipient of the delivery has its final outcome."""

    lease: Lease
    delivery: Delivery
    reports: tuple[Message, ...] = ()


@dataclass(frozen=True, slots=True)
class Retry:
    """Try again after `delay_seconds`. `delivery`: its new state, where it has one.

    unserved_seconds: how long ago the attempt began, where no host would serve it: it is tried again when one is back.
    """

    lease: Lease
    delay_seconds: float
    delivery: Delivery | None = None
    reports: tuple[Message, ...] = ()
    reason: str = ""
    unserved_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Crashed:
    """A bug struck: tried again a bounded number of times, then a dead letter of reason "crash"."""

    lease: Lease
    reason: str


@dataclass(frozen=True, slots=True)
class Dead:
    """A dead letter: kept with its reason until a person replays or discards it."""

    lease: Lease
    reason: str
    detail: str
    delivery: Delivery | None = None
    reports: tuple[Message, ...] = ()


Settlement = Transformed | Finished | Retry | Crashed | Dead


def _outcomes(delivery: Delivery | None) -> list[dict[str, Any]]:
    if delivery is None:
        return []
    return [
        {
            "recipient": one.public,
            "state": one.state,
            **({"host": one.host} if one.host else {}),
            **({"reply": str(one.reply)} if one.reply else {}),
            **({"remote_id": one.remote_id} if one.remote_id else {}),
            **({"ambiguous": True} if one.ambiguous else {}),
        }
        for one in delivery.recipients
    ]


def _event(settlement: Settlement, now: float) -> str:
    event: dict[str, Any] = {"at": now, "id": settlement.lease.id}
    match settlement:
        case Transformed(deliveries=deliveries):
            event["event"] = "converted"
            event["deliveries"] = [
                {
                    "id": new.delivery.id,
                    "system": new.delivery.system,
                    "recipients": [one.public for one in new.delivery.recipients],
                    "edits": len(new.edits),
                }
                for new in deliveries
            ]
        case Finished(delivery=delivery):
            event |= {"event": "finished", "system": delivery.system, "outcomes": _outcomes(delivery)}
        case Retry(delay_seconds=delay, delivery=waiting, reason=reason):
            event |= {"event": "deferred", "retry_seconds": round(delay, 1), "outcomes": _outcomes(waiting)}
            if reason:
                event["reason"] = reason
        case Crashed(reason=reason):
            event |= {"event": "crashed", "reason": reason}
        case Dead(reason=reason, delivery=parked):
            event |= {"event": "given up", "reason": reason, "outcomes": _outcomes(parked)}
    if not isinstance(settlement, Crashed) and settlement.reports:
        event["reports"] = [report.envelope.id for report in settlement.reports]
    return write_json(event)


class _Arguments:
    """The binary arguments of one settle script; `place` stores one and returns the place the script finds it at."""

    def __init__(self) -> None:
        self.values: list[Argument] = []

    def place(self, value: bytes | str) -> int:
        self.values.append(value)
        return len(self.values)


def _report(report: Message, arguments: _Arguments) -> dict[str, Any]:
    size = len(report.content)
    return {
        "id": report.envelope.id,
        "size": size,
        "envelope": arguments.place(report.envelope.to_json()),
        "content": arguments.place(report.content),
        "event": arguments.place(accepted_event(report.envelope, size)),
    }


def _written(settlement: Settlement, now: float, arguments: _Arguments) -> dict[str, Any]:
    lease = settlement.lease
    written: dict[str, Any] = {"queue": lease.queue, "id": lease.id, "token": lease.token, "reports": []}
    written["event"] = arguments.place(_event(settlement, now))
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
        case Crashed(reason=reason):
            written |= {"kind": "crashed", "reason": reason, "delay": CRASH_DELAY_SECONDS * (lease.crashes + 1)}
        case Dead(reason=reason, detail=detail):
            written |= {"kind": "dead", "reason": reason, "detail": detail}
    if isinstance(settlement, Retry | Dead) and settlement.delivery is not None:
        written["delivery"] = arguments.place(settlement.delivery.to_json())
    if not isinstance(settlement, Crashed):
        written["reports"] = [_report(report, arguments) for report in settlement.reports]
    return written


def settle(
    settlements: Sequence[Settlement], *, hosted: bool = False, max_crashes: int = 3, history_seconds: float = 86_400
) -> Operation[frozenset[str]]:
    """Write all settlements in one atomic step; return the ids of stale ones, for which nothing was done.

    hosted: a stock `rq worker` runs the job and keeps its RQ keys itself. history_seconds: how long the history of a
    message that is done with stays.
    """
    if not settlements:
        return frozenset()
    now, arguments = time.time(), _Arguments()
    written = [_written(settlement, now, arguments) for settlement in settlements]
    described = json.dumps(written, ensure_ascii=False).encode(errors="replace")  # Redis reads no lone surrogate
    head = (described, int(hosted), max_crashes, int(history_seconds))
    stale = yield Script("settle", (*head, *arguments.values))
    return frozenset(id.decode() for id in stale)
