"""The transform stage as RQ's own worker runs it: `rq worker -S rq.serializers.JSONSerializer transform`.

Slower than `causeway transform`, with the same result. The configuration is the file that $CAUSEWAY_CONFIG names.
"""

from __future__ import annotations

import time

import rq

from services.transform.settlement import settlement_of
from shared.errors import CausewayError
from shared.operations import configuration
from shared.routing.directory import CurrentDirectory
from shared.spool.lease import claim_message, contents
from shared.spool.memory import recall
from shared.spool.operation import Spool
from shared.spool.settle import CRASH_DELAY_SECONDS, Crashed, Dead, settle

UNLIMITED = 1_000_000
"""RQ asks for a limit of retries; the record has its own."""


class DeadLetterError(CausewayError):
    """The message is a dead letter: RQ files its job as failed."""


def convert() -> rq.Retry | None:
    """Convert the message whose id is the running job's, and settle it. Does nothing for a record that is not waiting.

    Returns the Retry that RQ is to schedule; raises DeadLetterError for a dead letter.
    """
    job = rq.get_current_job()
    if job is None:
        raise RuntimeError("services.transform.job.convert runs inside an RQ worker only")
    settings = configuration.load()
    spool = Spool(job.connection)
    *_, execution = job.execution_registry.get_execution_ids()  # by the time of their heartbeats: ours is the last
    leased = spool.run(claim_message(job.id, execution))
    if leased is None:
        return None
    directory = CurrentDirectory(settings.systems, settings.addresses.map).current()
    [content] = spool.run(contents([job.id]))
    settlement = settlement_of(
        leased, content, directory, settings, now=time.time(), recall=lambda key: spool.run(recall(key))
    )
    max_crashes = settings.transform.max_crashes
    history_seconds = settings.redis.history.total_seconds()
    stale = spool.run(settle([settlement], hosted=True, max_crashes=max_crashes, history_seconds=history_seconds))
    if stale:
        return None
    crashes = leased.lease.crashes + 1
    match settlement:
        case Dead(reason=reason, detail=detail):
            raise DeadLetterError(f"{reason}: {detail}")
        case Crashed(reason=reason) if crashes >= max_crashes:
            raise DeadLetterError(f"crash: {reason}")
        case Crashed():
            return rq.Retry(max=UNLIMITED, interval=int(CRASH_DELAY_SECONDS * crashes))
    return None
