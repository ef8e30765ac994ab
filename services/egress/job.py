"""The egress stage as RQ's own worker runs it: `rq worker -S rq.serializers.JSONSerializer egress.<system>`.

Slower than `causeway egress`, since every job opens its own connection, with the same result. The configuration is the
file that $CAUSEWAY_CONFIG names.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from random import SystemRandom

import rq

from services.egress.app import build_courier
from services.egress.attempt import Attempt
from services.egress.settlement import after_a_bug, count_settlement, settlement_of, without_content
from shared import configuration
from shared.configuration.settings import Settings
from shared.errors import SpoolError
from shared.spool.connect import open_async_spool
from shared.spool.lease import LeasedDelivery, claim_delivery, contents
from shared.spool.settlement import Settlement
from shared.spool.stock_worker import StockJob, rq_answer


def deliver() -> rq.Retry | None:
    """Attempt the delivery whose id is the running job's, and settle it. Does nothing for a record that is not waiting.

    Returns the Retry that RQ is to schedule; raises DeadLetterError for a dead letter.
    """
    job, settings = StockJob.running(), configuration.load()
    leased = job.spool.run(claim_delivery(job.id, job.queue.removeprefix("egress."), job.execution))
    if leased is None:
        return None
    [content] = job.spool.run(contents([leased.delivery.message_id]))
    settlement = asyncio.run(_attempt(settings, leased, content))
    if not job.write(settlement, settings.redis, settings.egress.max_crashes):
        return None
    count_settlement(leased.delivery, settlement)
    return rq_answer(settlement, settings.egress.max_crashes)


async def _attempt(settings: Settings, leased: LeasedDelivery, content: bytes | None) -> Settlement:
    if content is None:
        return without_content(leased)
    async_spool = open_async_spool(settings.redis)
    courier = build_courier(settings, settings.system(leased.delivery.system), async_spool)
    attempt, began = Attempt(leased.delivery), time.monotonic()
    try:
        with suppress(SpoolError):  # what other replicas know about the hosts helps, but is not needed
            await courier.refresh()
        await courier.finish_probes()
        outcomes = await courier.deliver(leased.delivery, content, leased.edits, attempt)
        seconds = time.monotonic() - began
        return settlement_of(
            leased, content, outcomes, settings, now=time.time(), seconds=seconds, random=SystemRandom()
        )
    except Exception as error:  # noqa: BLE001 (a bug of ours is bounded by the record, as in our own worker)
        return after_a_bug(leased, attempt, error, settings, now=time.time(), random=SystemRandom())
    finally:
        await courier.aclose()
        await async_spool.aclose()
