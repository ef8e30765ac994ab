"""Workers in RQ's registry, so that `rq info` and dashboards show the running workers."""

from __future__ import annotations

import os
import platform
import secrets
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from shared.spool import keys
from shared.spool.operation import Batch, Command, Operation

LIFETIME_SECONDS = 90
"""A worker that has not announced itself for this long counts as dead."""


State = Literal["idle", "busy"]


@dataclass(frozen=True, slots=True)
class Shift:
    """What RQ's views show of a worker's settlements: its name, seconds of work on them, and its state afterwards."""

    worker: str
    seconds: float
    state: State


def worker_name(stage: str) -> str:
    """Return a name for a worker of a stage, unique among all replicas."""
    return f"{stage}-{socket.gethostname()}-{secrets.token_hex(4)}"


def announce(worker: str, queues: Sequence[str], state: State) -> Operation[None]:
    """Say that the worker lives, and forget those that died. To be called at least every half minute."""
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
    yield from _remove_dead_workers(queues)


def retire(worker: str, queues: Sequence[str]) -> Operation[None]:
    """Register that the worker has ended."""
    key = keys.rq_worker(worker)
    yield Batch(
        (
            Command("DEL", (key,)),
            Command("SREM", (keys.RQ_WORKERS, key)),
            *(Command("SREM", (keys.rq_queue_workers(queue), key)) for queue in queues),
        )
    )


def _remove_dead_workers(queues: Sequence[str]) -> Operation[None]:
    """Remove killed workers from the registries, which would otherwise grow for ever."""
    for registry in (keys.RQ_WORKERS, *map(keys.rq_queue_workers, queues)):
        members: list[bytes] = list((yield Command("SMEMBERS", (registry,))))
        alive: list[int] = yield Batch([Command("EXISTS", (member,)) for member in members])
        if gone := [member for member, is_alive in zip(members, alive, strict=True) if not is_alive]:
            yield Command("SREM", (registry, *gone))
