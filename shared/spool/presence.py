"""Workers in RQ's registry, so that `rq info` and dashboards show who is at work."""

from __future__ import annotations

import os
import platform
import socket
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal

from shared.spool import keys
from shared.spool.operation import Batch, Command, Operation

LIFETIME_SECONDS = 90
"""A worker that did not announce itself for so long is gone."""


def announce(worker: str, queues: Sequence[str], state: Literal["idle", "busy"]) -> Operation[None]:
    """Say that the worker lives. To be called at least every half minute."""
    key, now = keys.rq_worker(worker), datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    fields: tuple[str | int, ...] = (
        *("last_heartbeat", now, "queues", ",".join(queues), "state", state),
        *("hostname", socket.gethostname(), "pid", os.getpid(), "python_version", platform.python_version()),
    )
    yield Batch(
        (
            Command("HSETNX", (key, "birth", now)),
            Command("HSET", (key, *fields)),
            Command("EXPIRE", (key, LIFETIME_SECONDS)),
            Command("SADD", (keys.RQ_WORKERS, key)),
            *(Command("SADD", (keys.rq_queue_workers(queue), key)) for queue in queues),
            *(Command("SADD", (keys.RQ_QUEUES, keys.rq_queue(queue))) for queue in queues),
        )
    )


def retire(worker: str, queues: Sequence[str]) -> Operation[None]:
    """Say that the worker has ended."""
    key = keys.rq_worker(worker)
    yield Batch(
        (
            Command("DEL", (key,)),
            Command("SREM", (keys.RQ_WORKERS, key)),
            *(Command("SREM", (keys.rq_queue_workers(queue), key)) for queue in queues),
        )
    )
