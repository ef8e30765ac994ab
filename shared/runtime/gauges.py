"""Brings the gauges of spool and certificates up to date when they are scraped. Never fails, never waits long."""

from __future__ import annotations

import math
from typing import get_args

from shared.configuration.redis import Durability
from shared.configuration.settings import Settings
from shared.errors import ConfigurationError, SpoolError
from shared.operations import metrics
from shared.operations.certificates import configured, inspect
from shared.spool.append_only_file import AppendOnlyFile
from shared.spool.connect import PATIENCE, open_spool
from shared.spool.gauge import QueueGauge, gauge_queue, gauge_spool, queues

OF_A_QUEUE = {
    "depth": metrics.queue_depth,
    "oldest_seconds": metrics.queue_age_seconds,
    "scheduled": metrics.queue_scheduled,
    "oldest_scheduled_seconds": metrics.queue_scheduled_age_seconds,
    "leased": metrics.leases,
    "dead": metrics.dead_letters,
}
"""The gauges of a queue, by the field of `QueueGauge` that each shows."""


class Gauges:
    """The gauges of one process that answers HTTP."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._redis = settings.redis.model_copy(update={"timeout": PATIENCE})
        self._spool = open_spool(self._redis)
        self._file = AppendOnlyFile(self._redis.durability)

    def ready(self) -> str:
        """Return "" while Redis is reachable and as durable as declared, else the reason in one line."""
        try:
            return self._file.problem(self._spool.run(gauge_spool(self._redis)))
        except SpoolError as error:
            return str(error)

    def refresh(self) -> None:
        """Read everything again; what cannot be read is NaN, and no durability level is 1."""
        self._refresh_spool()
        self._refresh_certificates()

    def show(self, settings: Settings) -> None:
        """Show the queues and certificates of other settings from now on."""
        self._settings = settings

    def close(self) -> None:
        """Close the connections."""
        self._spool.close()

    def _refresh_spool(self) -> None:
        try:
            gauge = self._spool.run(gauge_spool(self._redis))
            measured = [self._spool.run(gauge_queue(queue)) for queue in queues(self._settings)]
        except SpoolError:
            self._set_durability(None)
            metrics.spool_ready.set(0)
            metrics.spool_bytes.set(math.nan)
            metrics.spool_max_bytes.set(math.nan)
            for queue in queues(self._settings):
                self._set_queue(queue, None)
            return
        self._set_durability(gauge.durability)
        metrics.spool_ready.set(not self._file.problem(gauge))
        metrics.spool_bytes.set(gauge.used_bytes)
        metrics.spool_max_bytes.set(gauge.max_bytes)
        for gauge_of_queue in measured:
            self._set_queue(gauge_of_queue.queue, gauge_of_queue)

    def _set_durability(self, current: Durability | None) -> None:
        for level in get_args(Durability):
            metrics.durability.labels(level).set(level == current)

    def _set_queue(self, queue: str, gauge: QueueGauge | None) -> None:
        for name, metric in OF_A_QUEUE.items():
            metric.labels(queue).set(getattr(gauge, name) if gauge else math.nan)

    def _refresh_certificates(self) -> None:
        for use, file, _ in configured(self._settings):
            try:
                expiry = inspect(file).expires_at.timestamp()
            except ConfigurationError:
                expiry = math.nan
            metrics.certificate_expiry.labels(use).set(expiry)
