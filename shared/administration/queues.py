"""The queues of every stage and system, and the deliveries in them that wait for a retry."""

from __future__ import annotations

from shared.administration.installation import Installation
from shared.spool import keys
from shared.spool import retries as spool_retries
from shared.spool.gauge import QueueGauge, gauge_queue, queues
from shared.spool.retries import PER_SECOND, ScheduledRetry

FLUSH_PER_SECOND = PER_SECOND


def gauge_queues(installation: Installation) -> list[QueueGauge]:
    """Return the queues of every stage and system, each with its figures."""
    return [installation.spool.run(gauge_queue(queue)) for queue in queues(installation.settings)]


def list_retries(
    installation: Installation, system: str | None = None, limit: int | None = None
) -> list[ScheduledRetry]:
    """Return the deliveries to a system, or to all, that wait for a retry: the next first, at most `limit`."""
    systems = [system] if system else [each.name for each in installation.settings.systems]
    found = [retry for name in systems for retry in installation.spool.run(spool_retries.list_retries(name, limit))]
    return sorted(found, key=lambda retry: retry.due_at)[:limit]


def flush_retries(installation: Installation, system: str, per_second: int = FLUSH_PER_SECOND) -> int:
    """Bring the retries to a system forward, so many a second, beginning now; return how many deliveries that is."""
    return installation.spool.run(spool_retries.flush_retries(keys.egress(system), per_second=per_second))
