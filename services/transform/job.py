"""The transform stage as RQ's own worker runs it: `rq worker -S rq.serializers.JSONSerializer transform`.

Slower than `causeway transform`, with the same result. The configuration is the file that $CAUSEWAY_CONFIG names.
"""

from __future__ import annotations

import time

import rq

from services.transform.settlement import settlement_of
from shared import configuration
from shared.routing.router import CurrentRouter
from shared.spool.lease import claim_message, contents
from shared.spool.memory import recall
from shared.spool.stock_worker import StockJob, rq_answer


def convert() -> rq.Retry | None:
    """Convert the message whose id is the running job's, and settle it. Does nothing for a record that is not waiting.

    Returns the Retry that RQ is to schedule; raises DeadLetterError for a dead letter.
    """
    job, settings = StockJob.running(), configuration.load()
    leased = job.spool.run(claim_message(job.id, job.execution))
    if leased is None:
        return None
    router = CurrentRouter.configured(settings).current()
    [content] = job.spool.run(contents([job.id]))
    settlement = settlement_of(
        leased, content, router, settings, now=time.time(), recall=lambda key: job.spool.run(recall(key))
    )
    if not job.write(settlement, settings.redis, settings.transform.max_crashes):
        return None
    return rq_answer(settlement, settings.transform.max_crashes)
