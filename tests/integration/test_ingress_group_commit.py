"""Messages that are written together: in one request, each with its own answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
import redis

from services.ingress.group_commit import GROUP_BYTES, GROUPS_AT_ONCE, GroupCommit, Write
from shared.configuration.redis import RedisSettings
from shared.mail.envelope import Message
from shared.spool.accept import accept_all
from shared.spool.connect import open_async_spool
from shared.spool.gauge import gauge_queue
from shared.spool.keys import TRANSFORM
from shared.spool.operation import Operation
from tests.support.mail import message

Scenario = Callable[[GroupCommit], Awaitable[Any]]


def run(settings: RedisSettings, scenario: Scenario, write: Write = accept_all) -> Any:
    async def main() -> Any:
        spool = open_async_spool(settings)
        commit = GroupCommit(spool, write)
        try:
            await commit.write(message())  # which teaches Redis the script
            return await scenario(commit), await spool.run(gauge_queue(TRANSFORM))
        finally:
            await spool.aclose()

    return asyncio.run(main())


def scripts_run(client: redis.Redis) -> int:
    return int(client.info("commandstats")["cmdstat_evalsha"]["calls"])


def test_what_comes_at_the_same_time_is_one_request(redis_settings: RedisSettings, redis_client: redis.Redis) -> None:
    async def fifty(commit: GroupCommit) -> int:
        before = scripts_run(redis_client)
        assert await asyncio.gather(*(commit.write(message()) for _ in range(50))) == [True] * 50
        return scripts_run(redis_client) - before

    requests, gauge = run(redis_settings, fifty)
    assert requests <= GROUPS_AT_ONCE
    assert gauge.depth == 51


def test_a_message_with_a_known_id_is_reported_and_its_neighbours_are_new(redis_settings: RedisSettings) -> None:
    async def twice(commit: GroupCommit) -> list[bool]:
        one = message()
        return list(await asyncio.gather(*(commit.write(each) for each in (message(), one, one, message()))))

    answers, gauge = run(redis_settings, twice)
    assert answers == [True, True, False, True]
    assert gauge.depth == 4


def test_a_large_message_goes_alone(redis_settings: RedisSettings) -> None:
    """Redis may have no room for it; the small ones are not refused with it."""
    groups: list[int] = []

    def reported(messages: Sequence[Message]) -> Operation[list[bool]]:
        groups.append(len(messages))
        return accept_all(messages)

    async def all_sizes(commit: GroupCommit) -> list[bool]:
        large = replace(message(), content=bytes(GROUP_BYTES + 1))
        wanted = [message(), large, message(), message()]
        return list(await asyncio.gather(*(commit.write(item) for item in wanted)))

    answers, gauge = run(redis_settings, all_sizes, reported)
    assert answers == [True] * 4
    assert groups == [1, 1, 1, 2]  # the one that teaches Redis the script is the first
    assert gauge.depth == 5


def test_a_cancelled_write_does_not_cancel_the_others(redis_settings: RedisSettings) -> None:
    async def impatient(commit: GroupCommit) -> bool:
        gone = asyncio.create_task(commit.write(message()))
        staying = asyncio.create_task(commit.write(message()))
        await asyncio.sleep(0)
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        return await staying

    answer, gauge = run(redis_settings, impatient)
    assert answer is True
    assert gauge.depth == 3


def at_once(messages: Sequence[Message]) -> Operation[list[bool]]:
    yield from ()  # asks Redis nothing, so all writers end in one turn of the loop
    return [True for _ in messages]


@pytest.mark.parametrize("turns", range(5))
def test_what_comes_just_as_all_writers_end_is_not_left_waiting(redis_settings: RedisSettings, turns: int) -> None:
    async def late(commit: GroupCommit) -> bool:
        for _ in range(turns):
            await asyncio.sleep(0)
        return await commit.write(message())

    async def main() -> list[bool]:
        spool = open_async_spool(redis_settings)
        commit = GroupCommit(spool, at_once)
        try:
            async with asyncio.timeout(10):
                return await asyncio.gather(*(commit.write(message()) for _ in range(GROUPS_AT_ONCE)), late(commit))
        finally:
            await spool.aclose()

    assert asyncio.run(main()) == [True] * (GROUPS_AT_ONCE + 1)
