"""Deliveries from a real spool over real SMTP: done, deferred, refused, parked."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
import redis

from shared.configuration.egress import RetrySettings
from shared.configuration.redis import RedisSettings
from shared.configuration.smart_hosts import SmartHost
from shared.mail.delivery import DeliveryRecipient
from shared.mail.edits import Edit
from shared.spool import keys
from shared.spool.dead_letters import list_dead
from shared.spool.lease import contents, lease_messages
from shared.spool.operation import Spool
from tests.support.egress import SYSTEM, settings_for, spooled, until, working
from tests.support.mail import CONTENT
from tests.support.smart_host import SmartHostServer

QUEUE = keys.egress(SYSTEM)


@pytest.fixture
def spool(redis_client: redis.Redis) -> Spool:
    return Spool(redis_client)


def hop(server: SmartHostServer, **settings: Any) -> SmartHost:
    return SmartHost(host="127.0.0.1", port=server.port, **{"tls": "none", **settings})


def all_done(spool: Spool) -> bool:
    return not spool.client.scard(keys.live(QUEUE))


def test_deliveries_arrive_with_their_edits_over_few_connections(spool: Spool, redis_settings: RedisSettings) -> None:
    at = CONTENT.index(b"x\r\n")
    ids = [spooled(spool, f"r{number}@example.com", edits=(Edit(at, at + 1, b"y"),)) for number in range(60)]

    async def scenario(server: SmartHostServer) -> None:
        async with working(settings_for(redis_settings, [hop(server)], connections_per_host=4)):
            await until(lambda: all_done(spool))

    with SmartHostServer() as server:
        asyncio.run(scenario(server))
        assert sorted(message.rcpts[0] for message in server.messages) == sorted(
            f"RCPT TO:<r{n}@example.com>" for n in range(60)
        )
        assert {message.content for message in server.messages} == {CONTENT[:at] + b"y" + CONTENT[at + 1 :]}
        assert server.most_open_connections <= 4
        assert server.connections <= 4
    assert not spool.client.exists(*(keys.delivery(id) for id in ids))


def test_connections_are_not_reused_beyond_their_time(spool: Spool, redis_settings: RedisSettings) -> None:
    for number in range(5):
        spooled(spool, f"r{number}@example.com")

    async def scenario(server: SmartHostServer) -> None:
        async with working(settings_for(redis_settings, [hop(server)], reuse_seconds=0)):
            await until(lambda: all_done(spool))

    with SmartHostServer() as server:
        asyncio.run(scenario(server))
        assert server.connections == 5


def test_a_deferred_recipient_is_tried_again_alone(spool: Spool, redis_settings: RedisSettings) -> None:
    spooled(spool, "now@example.com", "later@example.com")
    asked: list[str] = []

    def answer(line: str) -> str:
        asked.append(line)
        return "450 4.2.0 greylisted" if "later@" in line and len(asked) < 4 else "250 ok"

    async def scenario(server: SmartHostServer) -> None:
        async with working(settings_for(redis_settings, [hop(server)])):
            await until(lambda: all_done(spool))

    with SmartHostServer(answers={"RCPT": answer}) as server:
        asyncio.run(scenario(server))
        arrived = [rcpt for message in server.messages for rcpt in message.rcpts]
        assert arrived == ["RCPT TO:<now@example.com>", "RCPT TO:<later@example.com>"]


def test_a_refused_recipient_is_reported_through_the_gateway(spool: Spool, redis_settings: RedisSettings) -> None:
    inside = DeliveryRecipient("b@example.com", "b@example.com", "b@inside.example")
    spooled(spool, recipients=(inside,), ret="FULL")

    async def scenario(server: SmartHostServer) -> None:
        async with working(settings_for(redis_settings, [hop(server)])):
            await until(lambda: all_done(spool))

    with SmartHostServer(answers={"RCPT": "550 5.1.1 b@inside.example is unknown"}) as server:
        asyncio.run(scenario(server))
    [report] = spool.run(lease_messages("test", max_jobs=9, max_bytes=10**9, seconds=60))
    assert report.envelope.sender is None
    assert report.envelope.source == SYSTEM
    assert [recipient.address for recipient in report.envelope.recipients] == ["a@example.com"]
    [content] = spool.run(contents([report.envelope.id]))
    assert content
    assert b"Diagnostic-Code: smtp; 550 5.1.1 b@example.com is unknown" in content
    assert b"inside.example" not in content
    assert CONTENT in content


def test_an_expired_delivery_is_reported_and_parked(spool: Spool, redis_settings: RedisSettings) -> None:
    id = spooled(spool)
    retry = RetrySettings(first=timedelta(milliseconds=50), give_up=timedelta(milliseconds=300))

    async def scenario(server: SmartHostServer) -> None:
        async with working(settings_for(redis_settings, [hop(server)], retry=retry)):
            await until(lambda: spool.run(list_dead()))

    with SmartHostServer(answers={"MAIL": "450 4.3.0 not now"}) as server:
        asyncio.run(scenario(server))
    [dead] = spool.run(list_dead())
    assert (dead.id, dead.reason, dead.stage, dead.system) == (id, "expired", "egress", SYSTEM)
    assert len(spool.run(lease_messages("test", max_jobs=9, max_bytes=10**9, seconds=60))) == 1


def test_refused_mail_of_the_null_sender_is_parked_and_not_answered(
    spool: Spool, redis_settings: RedisSettings
) -> None:
    spooled(spool, sender=None)

    async def scenario(server: SmartHostServer) -> None:
        async with working(settings_for(redis_settings, [hop(server)])):
            await until(lambda: spool.run(list_dead()))

    with SmartHostServer(answers={"RCPT": "550 5.1.1 no"}) as server:
        asyncio.run(scenario(server))
    assert [letter.reason for letter in spool.run(list_dead())] == ["undeliverable_report"]
    assert not spool.run(lease_messages("test", max_jobs=9, max_bytes=10**9, seconds=60))


def test_a_delivery_without_its_content_is_parked(spool: Spool, redis_settings: RedisSettings) -> None:
    id = spooled(spool)
    spool.client.delete(keys.content(id.removesuffix(f"-{SYSTEM}")))

    async def scenario(server: SmartHostServer) -> None:
        async with working(settings_for(redis_settings, [hop(server)])):
            await until(lambda: spool.run(list_dead()))

    with SmartHostServer() as server:
        asyncio.run(scenario(server))
    assert [letter.reason for letter in spool.run(list_dead())] == ["missing_content"]


def test_an_exception_affects_one_delivery_and_not_its_neighbours(spool: Spool, redis_settings: RedisSettings) -> None:
    """Edits that cannot be applied represent any unexpected exception."""
    bad = spooled(spool, "bad@example.com", edits=(Edit(10**6, 10**6 + 1, b""),))
    spooled(spool, "good@example.com")

    async def scenario(server: SmartHostServer) -> None:
        async with working(settings_for(redis_settings, [hop(server)], max_crashes=1)):
            await until(lambda: spool.run(list_dead()) and server.messages)

    with SmartHostServer() as server:
        asyncio.run(scenario(server))
        assert [message.rcpts for message in server.messages] == [["RCPT TO:<good@example.com>"]]
    assert [(letter.id, letter.reason) for letter in spool.run(list_dead())] == [(bad, "crash")]
