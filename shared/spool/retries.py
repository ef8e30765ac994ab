"""Retries: deliveries that are scheduled for another attempt, with the reason, and bringing them forward."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from shared.mail.delivery import Delivery
from shared.spool import keys
from shared.spool.operation import Batch, Command, Operation, Script

PAGE = 1000
"""Deliveries handled in one script or read at a time: a few milliseconds of Redis' time."""

PER_SECOND = 200
"""How many deliveries of a system are brought forward per second, so that new mail is not held up."""


@dataclass(frozen=True, slots=True)
class ScheduledRetry:
    """A delivery that is scheduled for another attempt. due_at: seconds since the epoch."""

    delivery: Delivery
    due_at: float


def list_retries(system: str, limit: int | None = None) -> Operation[list[ScheduledRetry]]:
    """Return the deliveries to a system that wait for a retry, the next first, at most `limit`."""
    found: list[ScheduledRetry] = []
    start, registry = 0, keys.rq_scheduled(keys.egress(system))
    while limit is None or len(found) < limit:
        size = PAGE if limit is None else min(PAGE, limit - len(found))
        answer: list[Any] = yield Command("ZRANGE", (registry, start, start + size - 1, "WITHSCORES"))
        if not answer:
            break
        page = _pairs(answer)
        records = yield Batch([Command("HGET", (keys.delivery(id), "delivery")) for id, _ in page])
        for (id, due_at), record in zip(page, records, strict=True):
            if record is not None:  # else it was settled in the meantime
                found.append(ScheduledRetry(replace(Delivery.from_json(record), id=id), due_at))
        start += len(page)
    return found


def _pairs(answer: list[Any]) -> list[tuple[str, float]]:
    """Return members and scores from an answer that is flat (RESP2) or in pairs (RESP3)."""
    flat = answer if isinstance(answer[0], bytes) else [part for pair in answer for part in pair]
    return [(id.decode(), float(score)) for id, score in zip(flat[::2], flat[1::2], strict=True)]


def flush_retries(
    queue: str, *, unserved: bool = False, per_second: int = PER_SECOND, limit: int = PAGE
) -> Operation[int]:
    """Bring the retries of a queue forward, the latest first, `per_second`; return how many.

    No retry is delayed. unserved: only deliveries that wait because no host was usable, since a host has just
    recovered; a delivery already in progress that finds no host is then retried at once. limit: per script run.
    """
    passed: int = 0
    flushed: int = 0
    while True:
        left, moved = yield Script("flush_retries", (queue, limit, passed, flushed, per_second, int(unserved)))
        passed, flushed = passed + left, flushed + moved
        if left + moved < limit:
            return flushed
