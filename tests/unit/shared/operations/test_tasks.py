"""Tasks end although they miss a cancellation."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from shared.operations import tasks
from shared.operations.tasks import end


async def deaf(times: int) -> None:
    """Miss so many cancellations, as `wait_for` of Python 3.11 may."""
    for _ in range(times):
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
    await asyncio.sleep(60)


def test_all_have_ended_however_many_cancellations_they_miss(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "AGAIN_SECONDS", 0.001)

    async def scenario() -> None:
        ending = [asyncio.create_task(deaf(times)) for times in range(5)]
        await asyncio.sleep(0)
        await end(ending)
        assert all(task.cancelled() for task in ending)

    asyncio.run(scenario())


def test_what_has_ended_is_left_as_it_is() -> None:
    async def scenario() -> None:
        ended = asyncio.create_task(asyncio.sleep(0, "result"))
        await ended
        await end([ended])
        await end([])
        assert ended.result() == "result"

    asyncio.run(scenario())
