"""Retries: deliveries that are scheduled for another attempt, why, and how to bring them forward."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from shared.mail.delivery import Delivery
from shared.spool import keys
from shared.spool.operation import Batch, Command, Operation, Script

PAGE = 1000
"""Deliveries handled in one script or read at a time: a few milliseconds of Redis' time."""

PER_SECOND = 200
"""How many deliveries of a system are brought forward a second: new mail keeps its turn between them."""


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
            if record is not None:  # else it was settled while we looked
                found.append(ScheduledRetry(replace(Delivery.from_json(record), id=id), due_at))
        start += len(page)
    return found


def _pairs(answer: list[Any]) -> list[tuple[str, float]]:
    """Return members and scores, however the client has them: flat, or in pairs."""
    flat = answer if isinstance(answer[0], bytes) else [part for pair in answer for part in pair]
    return [(id.decode(), float(score)) for id, score in zip(flat[::2], flat[1::2], strict=True)]


def flush_retries(
    queue: str, *, unserved: bool = False, per_second: int = PER_SECOND, limit: int = PAGE
) -> Operation[int]:
    """Bring the retries of a queue forward, so many a second, those that would wait longest first; return how many.

    None is put off. unserved: only what waits because no host would serve it, as one has come back just now; what
    is under way since before that, and finds no host, is then tried again at once. limit: of one script.
    """
    passed: int = 0
    flushed: int = 0
    while True:
        left, moved = yield Script("flush_retries", (queue, limit, passed, flushed, per_second, int(unserved)))
        passed, flushed = passed + left, flushed + moved
        if left + moved < limit:
            return flushed
