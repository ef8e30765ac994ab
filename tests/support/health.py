"""The marks of smart hosts, as all replicas see them, and time that passes for them when a test says so."""

from __future__ import annotations

import json
from typing import Any

import redis

from shared.spool import keys


def let_marks_run_out(client: redis.Redis, system: str) -> None:
    """Have the mark of every host run out now, as if its time were over."""
    raw: Any = client
    for host, state in raw.hgetall(keys.host_health(system)).items():
        raw.hset(keys.host_health(system), host, json.dumps({**json.loads(state), "down_until": 1.0}))


def is_marked(client: redis.Redis, system: str, port: int) -> bool:
    """Whether a host of loopback is marked down, for all replicas."""
    raw: Any = client
    state = raw.hget(keys.host_health(system), f"127.0.0.1:{port}")
    return state is not None and json.loads(state)["down_until"] > 0
