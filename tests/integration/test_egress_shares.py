"""Each host of a tier gets its share of the messages by weight, however slow it is: real servers, a real pool.

A slow host has all its connections in use and a queue before them. That must neither cost it mail, since a message
chooses its host before it waits, nor attract mail. $CAUSEWAY_SHARE_MESSAGES: how many are sent for each pair.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from datetime import timedelta

import pytest

from services.egress.app import build_courier
from shared.configuration.redis import RedisSettings
from shared.configuration.smart_hosts import SmartHost
from shared.mail.outcome import Delivered
from shared.spool.connect import open_async_spool
from tests.support.egress import settings_for
from tests.support.mail import CONTENT, delivery, message
from tests.support.smart_host import SmartHostServer

MESSAGES = int(os.environ.get("CAUSEWAY_SHARE_MESSAGES", "2000"))
IN_FLIGHT = 200  # egress.max_in_flight
CONNECTIONS = 4
SLOW_SECONDS = 0.002
"""That a slow host takes for each message, one after the other."""
UNHURRIED = {"connect_timeout": timedelta(minutes=1), "command_timeout": timedelta(minutes=1)}
ONE_IN_A_MILLION = 23.93
"""Chi-square of one degree of freedom that chance exceeds once in a million runs."""


def slowly(_line: str) -> str:
    time.sleep(SLOW_SECONDS)
    return "250 2.0.0 ok"


async def carry(settings_of_redis: RedisSettings, hosts: list[SmartHost]) -> None:
    """Deliver all messages over one courier, with as many side by side as a worker has in hand."""
    settings = settings_for(settings_of_redis, hosts, connections_per_host=CONNECTIONS, **UNHURRIED)
    spool, room = open_async_spool(settings.redis), asyncio.Semaphore(IN_FLIGHT)
    courier = build_courier(settings, settings.systems[0], spool)

    async def one() -> None:
        async with room:
            [outcome] = await courier.deliver(delivery(message().envelope), CONTENT, ())
            assert isinstance(outcome, Delivered)

    try:
        await asyncio.gather(*(one() for _ in range(MESSAGES)))
    finally:
        await courier.aclose()
        await spool.aclose()


@pytest.mark.parametrize(
    ("weights", "slow"),
    [((1, 1), "first"), ((3, 1), "first"), ((100, 1), "first"), ((3, 1), "second"), ((100, 1), "second")],
    ids=str,
)
def test_shares_hold_per_message_whichever_host_is_slow(
    redis_settings: RedisSettings, weights: tuple[int, int], slow: str
) -> None:
    first = SmartHostServer(answers={".": slowly} if slow == "first" else {})
    second = SmartHostServer(answers={".": slowly} if slow == "second" else {})
    with first, second:
        hosts = [
            SmartHost(host="127.0.0.1", port=server.port, tls="none", weight=weight)
            for server, weight in zip((first, second), weights, strict=True)
        ]
        asyncio.run(carry(redis_settings, hosts))
    counts = [len(server.messages) for server in (first, second)]
    assert sum(counts) == MESSAGES
    assert first.most_open_connections == CONNECTIONS, "the connections of a busy host are all in use"
    expected = [MESSAGES * weight / sum(weights) for weight in weights]
    chi_square = sum((count - wanted) ** 2 / wanted for count, wanted in zip(counts, expected, strict=True))
    sys.stdout.write(f"weights {weights[0]}:{weights[1]}, slow {slow}: {counts}, chi-square {chi_square:.2f}\n")
    assert chi_square < ONE_IN_A_MILLION
