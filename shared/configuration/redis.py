"""`redis`: where the spool is, and how durable it must be."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field

from shared.configuration.endpoint import Listen
from shared.configuration.section import Section
from shared.configuration.values import Duration, PositiveDuration

Durability = Literal["memory", "everysec", "fsync", "replicated"]


class Sentinel(Section):
    """Redis found through Sentinel."""

    service: str
    nodes: Annotated[list[Listen], Field(min_length=1)]


class RedisSettings(Section):
    """Where the spool is, and how strong it must be.

    url: redis://, rediss://, unix://, or `embedded` (only `causeway up`, `demo`). replicas: how many must have a write
    under `replicated`. max_queue_depth: ready jobs above which ingress answers 452. history: how long `causeway trace`
    knows a finished message.
    """

    url: str = "redis://127.0.0.1:6379/0"
    sentinel: Sentinel | None = None
    durability: Durability = "fsync"
    replicas: Annotated[int, Field(ge=1)] = 1
    max_memory_fraction: Annotated[float, Field(gt=0, le=1)] = 0.8
    max_queue_depth: Annotated[int, Field(ge=1)] = 2_000_000
    timeout: PositiveDuration = timedelta(seconds=10)
    history: Duration = timedelta(days=1)
