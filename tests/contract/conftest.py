"""What the contract suites share: every operation runs on both kinds of spool."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from shared.configuration.redis import RedisSettings
from shared.spool.connect import open_async_spool, open_spool
from shared.spool.operation import Operation

Run = Callable[[Operation[Any]], Any]


@pytest.fixture(params=["synchronous", "asynchronous"])
def run(request: pytest.FixtureRequest, redis_settings: RedisSettings) -> Iterator[Run]:
    """Run operations to their result, on either kind of spool."""
    if request.param == "synchronous":
        spool = open_spool(redis_settings)
        yield spool.run
        spool.close()
        return
    with asyncio.Runner() as runner:
        other = open_async_spool(redis_settings)
        yield lambda operation: runner.run(other.run(operation))
        runner.run(other.aclose())
