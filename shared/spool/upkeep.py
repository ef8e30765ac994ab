"""Periodic upkeep, done by any worker: due retries, expired leases, records that lost their job."""

from __future__ import annotations

from shared.history.base import HistoryEvent
from shared.history.vocabulary import from_note
from shared.spool import keys
from shared.spool.operation import Batch, Command, Operation, Script

PAGE = 1000
"""Jobs handled in one script or one page of a scan: a few milliseconds of Redis' time."""


def promote(queue: str, limit: int = PAGE) -> Operation[int]:
    """Move retries that are due to their queue; return how many."""
    moved: int = yield Script("promote", (queue, limit))
    return moved


def reclaim(queue: str, *, max_crashes: int, lease_seconds: float, limit: int = PAGE) -> Operation[list[HistoryEvent]]:
    """Requeue jobs whose lease expired, counting a crash, or park them as "poison"; return the events written.

    To be called about once per second by every worker: leases expire only while a worker calls this or renews. After a
    pause (ten seconds, or two fifths of a lease if that is longer) each holder has `lease_seconds` to renew before
    anything is reclaimed.
    """
    notes = yield Script("reclaim", (queue, limit, max_crashes, lease_seconds))
    return [from_note(note, id.decode()) for id, note in zip(notes[::2], notes[1::2], strict=True)]


def _known_jobs(queue: str) -> Operation[set[bytes]]:
    """Return the job ids in RQ's structures.

    The list is read from its tail, so that jobs removed from its head meanwhile hide no other.
    """
    known: set[bytes] = set((yield Command("ZRANGE", (keys.rq_scheduled(queue), 0, -1))))
    end = -1
    while page := (yield Command("LRANGE", (keys.rq_queue(queue), end - PAGE + 1, end))):
        known.update(page)
        end -= PAGE
    started = yield Command("ZRANGE", (keys.rq_started(queue), 0, -1))
    known.update(member.partition(b":")[0] for member in started)
    return known


def reconcile(queue: str) -> Operation[int]:
    """Create the missing job of every record that waits for this queue's stage; return how many were created.

    Costs five count commands while nothing is missing.
    """
    live, *counts = yield Batch(
        (
            Command("SCARD", (keys.live(queue),)),
            Command("LLEN", (keys.rq_queue(queue),)),
            Command("ZCARD", (keys.rq_started(queue),)),
            Command("ZCARD", (keys.rq_scheduled(queue),)),
        )
    )
    if live <= sum(counts):
        return 0
    waiting: list[bytes] = []
    cursor: bytes | int = 0
    while True:
        cursor, page = yield Command("SSCAN", (keys.live(queue), cursor, "COUNT", PAGE))
        waiting.extend(page)
        if not int(cursor):
            break
    known = yield from _known_jobs(queue)
    lost = [id for id in waiting if id not in known]
    adopted = 0
    for start in range(0, len(lost), PAGE):
        adopted += yield Script("adopt", (queue, *lost[start : start + PAGE]))
    return adopted
