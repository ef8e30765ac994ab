"""A stage's job under RQ's own worker: its record, and the answer to RQ after its settlement.

RQ dequeued the job and maintains its own keys; the record remains authoritative.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import rq

from shared.configuration.redis import RedisSettings
from shared.errors import CausewayError
from shared.spool.operation import Spool
from shared.spool.settlement import Crashed, Parked, Retry, Settlement
from shared.spool.write_settlements import CRASH_DELAY_SECONDS, log_settlement, write_settlements

UNLIMITED = 1_000_000
"""RQ requires a limit of retries; the record has its own limit."""


class DeadLetterError(CausewayError):
    """The record is a dead letter: RQ registers its job as failed."""


@dataclass(frozen=True, slots=True)
class StockJob:
    """The running job: the id of its record, its queue, RQ's id of this execution, and the spool it came from."""

    id: str
    queue: str
    execution: str
    spool: Spool

    @classmethod
    def running(cls) -> StockJob:
        """Return the job that this process runs. Raises RuntimeError outside an RQ worker."""
        job = rq.get_current_job()
        if job is None:
            raise RuntimeError("a stage's job function runs only inside an RQ worker")
        *_, execution = job.execution_registry.get_execution_ids()  # sorted by heartbeat: the last is this one
        return cls(job.id, job.origin, execution, Spool(job.connection))

    def write(self, settlement: Settlement, redis: RedisSettings, max_crashes: int) -> bool:
        """Write the settlement, and then its events to the log; return whether it counted."""
        history_seconds = redis.history.total_seconds()
        written = self.spool.run(
            write_settlements([settlement], hosted=True, max_crashes=max_crashes, history_seconds=history_seconds)
        ).get(settlement.lease.id)
        log_settlement(settlement, written)
        return written is not None


def rq_answer(settlement: Settlement, max_crashes: int) -> rq.Retry | None:
    """Return the Retry that RQ is to schedule, or None where the job is done. Raises DeadLetterError."""
    crashes = settlement.lease.crashes + 1
    match settlement:
        case Retry(delay_seconds=seconds):
            return rq.Retry(max=UNLIMITED, interval=math.ceil(seconds))
        case Parked(reason=reason, detail=detail):
            raise DeadLetterError(f"{reason}: {detail}")
        case Crashed(cause=cause) if crashes >= max_crashes:
            raise DeadLetterError(f"crash: {cause}")
        case Crashed():
            return rq.Retry(max=UNLIMITED, interval=int(CRASH_DELAY_SECONDS * crashes))
    return None
