"""Smart hosts with `max_connections` and `messages_per_minute`: what all replicas together do, seen by the host."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
import yaml

from services.egress.app import build_courier
from services.egress.courier import AT_LIMIT, Courier
from services.egress.throttle import MAX_WAITING
from shared.configuration.redis import RedisSettings
from shared.configuration.settings import Settings
from shared.configuration.smart_hosts import SmartHost
from shared.mail.delivery import Delivery
from shared.mail.outcome import Deferred, Delivered, Outcome
from shared.operations import embedded_redis
from shared.spool import keys
from shared.spool.connect import open_async_spool
from shared.spool.host_quota import Pace, pace_of, take_turn
from shared.spool.lease import lease_deliveries
from shared.spool.operation import Spool
from shared.spool.upkeep import promote
from tests.support.egress import SYSTEM, settings_for, spooled, until, working
from tests.support.mail import CONTENT, delivery, message
from tests.support.processes import eventually
from tests.support.smart_host import HANG, SmartHostServer

QUEUE = keys.egress(SYSTEM)
IMPATIENT = {"lease": timedelta(milliseconds=300)}
PATIENT = {"lease": timedelta(seconds=60), "shutdown_timeout": timedelta(seconds=60)}


@pytest.fixture
def spool(redis_client: redis.Redis) -> Spool:
    return Spool(redis_client)


def hop(server: SmartHostServer, **settings: Any) -> SmartHost:
    return SmartHost(host="127.0.0.1", port=server.port, **{"tls": "none", **settings})


def named(settings: Settings, hostname: str) -> Settings:
    """Return the settings of a replica that greets by a name of its own."""
    return settings.model_copy(update={"hostname": hostname})


def greeted(server: SmartHostServer, hostname: str) -> int:
    return sum(line == f"EHLO {hostname}" for line, _ in server.lines)


def is_done(spool: Spool) -> bool:
    return not spool.client.scard(keys.live(QUEUE))


def clock(client: redis.Redis) -> float:
    seconds, microseconds = client.time()
    return float(seconds) + float(microseconds) / 1e6


def use_up(spool: Spool, server: SmartHostServer) -> None:
    """Let the host have had a message an hour's pace ago: none may go for the time of the test."""
    assert spool.run(take_turn(f"127.0.0.1:{server.port}", Pace(3600, 1))) == 0


@asynccontextmanager
async def courier_of(settings: Settings) -> AsyncIterator[Courier]:
    spool = open_async_spool(settings.redis)
    courier = build_courier(settings, settings.systems[0], spool)
    try:
        yield courier
    finally:
        await courier.aclose()
        await spool.aclose()


async def deliver(courier: Courier, *recipients: str) -> tuple[Outcome, ...]:
    return await courier.deliver(delivery(message(*recipients or ("a@x.y",)).envelope), CONTENT, ())


def test_two_replicas_together_never_open_more_connections_than_allowed(
    spool: Spool, redis_settings: RedisSettings
) -> None:

    async def scenario(server: SmartHostServer) -> None:
        settings = settings_for(redis_settings, [hop(server, max_connections=3)])
        async with working(named(settings, "one.example.com")), working(named(settings, "two.example.com")):
            await until(lambda: is_done(spool))

    for _ in range(40):
        spooled(spool)
    with SmartHostServer() as server:
        asyncio.run(scenario(server))
        assert len(server.messages) == 40
        assert server.most_open_connections == 3
    assert not spool.client.exists(keys.host_slots(f"127.0.0.1:{server.port}")), "all slots were returned"


def test_a_replica_that_comes_late_gets_a_connection_of_one_that_has_more(redis_settings: RedisSettings) -> None:
    async def scenario(server: SmartHostServer) -> None:
        settings = settings_for(redis_settings, [hop(server, max_connections=2)], **PATIENT)
        async with (
            courier_of(named(settings, "one.example.com")) as rich,
            courier_of(named(settings, "two.example.com")) as poor,
        ):
            await asyncio.gather(deliver(rich), deliver(rich))
            waiting = asyncio.create_task(deliver(poor))
            while not waiting.done():
                await rich.refresh()  # as its worker does every second
                await asyncio.sleep(0.02)
            assert isinstance(waiting.result()[0], Delivered)

    with SmartHostServer() as server:
        asyncio.run(asyncio.wait_for(scenario(server), 30))
        assert (greeted(server, "one.example.com"), greeted(server, "two.example.com")) == (2, 1)
        assert server.most_open_connections == 2


def test_two_replicas_together_hand_over_no_more_messages_than_allowed(
    spool: Spool, redis_settings: RedisSettings
) -> None:
    """By Redis' clock: a message arrives after its turn, so none may arrive before it could have had one."""
    count, limit = 30, 600
    arrivals: list[float] = []

    def arrived(_line: str) -> str:
        arrivals.append(clock(spool.client))
        return "250 ok"

    async def scenario(server: SmartHostServer) -> None:
        settings = settings_for(redis_settings, [hop(server, messages_per_minute=limit)])
        async with working(named(settings, "one.example.com")), working(named(settings, "two.example.com")):
            await until(lambda: is_done(spool))

    for number in range(count):
        spooled(spool, f"r{number}@example.com")
    with SmartHostServer(answers={"MAIL": arrived}) as server:
        begun = clock(spool.client)
        asyncio.run(scenario(server))
        assert sorted(received.rcpts[0] for received in server.messages) == sorted(
            f"RCPT TO:<r{number}@example.com>" for number in range(count)
        )
    pace = pace_of(limit)
    for number, at in enumerate(arrivals, start=1):
        assert number <= pace.burst + (at - begun) / pace.seconds


def test_every_transaction_of_a_message_takes_a_turn(spool: Spool, redis_settings: RedisSettings) -> None:
    """The host serves one recipient a transaction, and one message a minute: the second waits."""

    async def scenario(server: SmartHostServer) -> None:
        settings = settings_for(redis_settings, [hop(server, messages_per_minute=1)], **IMPATIENT)
        async with courier_of(settings) as courier:
            first, second = await deliver(courier, "first@x.y", "second@x.y")
            assert isinstance(first, Delivered)
            assert isinstance(second, Deferred)
            assert second.reply == AT_LIMIT

    seen: list[str] = []

    def answer(line: str) -> str:
        seen.append(line)
        return "250 ok" if len(seen) == 1 else "452 4.5.3 too many"

    with SmartHostServer([], answers={"RCPT": answer}) as server:
        asyncio.run(scenario(server))
        assert len(server.messages) == 1


def test_the_turn_of_a_connection_that_died_while_idle_still_counts(redis_settings: RedisSettings) -> None:
    """Otherwise each idle time-out of a host would cost a message."""
    seen: list[str] = []

    def answer(line: str) -> str:
        seen.append(line)
        return "421 4.4.2 idle too long" if len(seen) == 2 else "250 ok"

    async def scenario(server: SmartHostServer) -> None:
        settings = settings_for(redis_settings, [hop(server, messages_per_minute=120)], **IMPATIENT)
        async with courier_of(settings) as courier:  # two may go at once, the next after half a second
            for _ in range(2):
                assert isinstance((await deliver(courier))[0], Delivered)

    with SmartHostServer(answers={"MAIL": answer}) as server:
        asyncio.run(scenario(server))
        assert (len(server.messages), len(seen)) == (2, 3)


def test_a_host_at_its_limit_leaves_its_mail_to_the_others_of_its_tier(
    spool: Spool, redis_settings: RedisSettings
) -> None:
    async def scenario(limited: SmartHostServer, other: SmartHostServer) -> None:
        hops = [hop(limited, messages_per_minute=1, weight=1000), hop(other)]
        async with courier_of(settings_for(redis_settings, hops)) as courier:
            for _ in range(5):
                assert isinstance((await deliver(courier))[0], Delivered)
        assert not spool.client.exists(keys.host_health(SYSTEM)), "it is not down"

    with SmartHostServer() as limited, SmartHostServer() as other:
        use_up(spool, limited)
        asyncio.run(scenario(limited, other))
        assert (len(limited.messages), len(other.messages)) == (0, 5)


@pytest.mark.parametrize("limits", [{"messages_per_minute": 1}, {"max_connections": 1}], ids=str)
def test_no_limit_sends_mail_to_the_next_tier(
    spool: Spool, redis_settings: RedisSettings, limits: dict[str, int]
) -> None:
    """What waited in vain is put off for seconds with a reply that says why, and no attempt is counted."""

    async def scenario(server: SmartHostServer, backup: SmartHostServer) -> None:
        hops = [hop(server, preference=10, **limits), hop(backup, preference=20)]
        async with working(settings_for(redis_settings, hops, **IMPATIENT)):
            await until(lambda: spool.client.zcard(keys.rq_scheduled(QUEUE)))

    id = spooled(spool)
    with SmartHostServer() as server, SmartHostServer() as backup:
        use_up(spool, server)
        spool.client.zadd(keys.host_slots(f"127.0.0.1:{server.port}"), {"another/1": clock(spool.client) + 5})
        asyncio.run(scenario(server, backup))
        assert (server.messages, backup.connections) == ([], 0)
    left = Delivery.from_json(spool.client.hget(keys.delivery(id), "delivery") or b"")
    assert (left.attempts, left.recipients[0].reply) == (0, AT_LIMIT)
    due = spool.client.zscore(keys.rq_scheduled(QUEUE), id)
    assert due is not None
    assert float(due) < clock(spool.client) + 11


def test_what_cannot_be_sent_is_not_leased(spool: Spool, redis_settings: RedisSettings) -> None:
    for _ in range(150):
        spooled(spool)

    async def scenario(server: SmartHostServer) -> None:
        settings = settings_for(redis_settings, [hop(server, messages_per_minute=1)], **PATIENT)
        async with working(settings) as worker:
            await until(lambda: len(worker._in_hand) >= MAX_WAITING)
            await until(lambda: worker._room(SYSTEM)[0] == 0)
            assert int(spool.client.llen(keys.rq_queue(QUEUE))) > 50

    with SmartHostServer() as server:
        use_up(spool, server)
        asyncio.run(scenario(server))
        assert not server.messages


def test_a_stop_does_not_wait_for_what_waits(spool: Spool, redis_settings: RedisSettings) -> None:
    """All limits of time are a minute here, and `working` has patience for twenty seconds."""
    id = spooled(spool)

    async def scenario(server: SmartHostServer) -> None:
        settings = settings_for(redis_settings, [hop(server, messages_per_minute=1)], **PATIENT)
        async with working(settings) as worker:
            await until(lambda: worker._couriers[SYSTEM]._quota.throttle.waiting)

    with SmartHostServer() as server:
        use_up(spool, server)
        asyncio.run(scenario(server))
    spool.run(promote(QUEUE))
    [left] = spool.run(lease_deliveries(SYSTEM, "test", max_jobs=9, max_bytes=10**9, seconds=9))
    assert (left.lease.id, left.lease.crashes, left.delivery.attempts) == (id, 0, 0)


def test_a_delivery_whose_lease_is_lost_while_it_waits_sends_nothing(
    spool: Spool, redis_settings: RedisSettings
) -> None:
    id = spooled(spool)

    async def scenario(server: SmartHostServer) -> None:
        settings = settings_for(redis_settings, [hop(server, messages_per_minute=1)], lease=timedelta(seconds=4))
        async with working(settings) as worker:
            throttle = worker._couriers[SYSTEM]._quota.throttle
            await until(throttle.first.locked)
            spool.client.hset(keys.delivery(id), "lease", "another")
            await until(lambda: not worker._in_hand)
            assert (throttle.waiting, throttle.first.locked()) == (0, False)
            assert spool.client.hget(keys.delivery(id), "lease") == b"another"
            spool.client.delete(keys.rq_queue(QUEUE), keys.rq_started(QUEUE), keys.live(QUEUE))

    with SmartHostServer() as server:
        use_up(spool, server)
        asyncio.run(scenario(server))
        assert not any(line.startswith("MAIL") for line, _ in server.lines)


def test_a_killed_replica_gives_its_connections_back(
    spool: Spool, redis_settings: RedisSettings, tmp_path: Path
) -> None:
    """It dies with both slots, during two messages that the host does not answer; once they have run out, others have
    them.
    """
    with SmartHostServer(answers={".": HANG}) as server:
        host = f"127.0.0.1:{server.port}"
        configuration = {
            "hostname": "killed.example.com",
            "redis": {"url": redis_settings.url},
            "egress": {"lease": "2s"},
            "http": {"listen": None},
            "systems": [
                {
                    "name": SYSTEM,
                    "kind": "exchange",
                    "smart_hosts": [{"host": "127.0.0.1", "port": server.port, "tls": "none", "max_connections": 2}],
                }
            ],
        }
        file = tmp_path / "causeway.yaml"
        file.write_text(yaml.safe_dump(configuration))
        for _ in range(4):
            spooled(spool)
        with (tmp_path / "log").open("w") as log:
            process = subprocess.Popen([sys.executable, "-m", "services.egress", "--config", file], stderr=log)
        try:
            eventually(lambda: sum(line == "DATA" for line, _ in server.lines) == 2)
            assert spool.client.zcard(keys.host_slots(host)) == 2
        finally:
            os.kill(process.pid, signal.SIGKILL)
            process.wait(10)
        server.answers.clear()

        async def scenario() -> None:
            settings = settings_for(redis_settings, [hop(server, max_connections=2)], lease=timedelta(seconds=2))
            async with working(settings):
                await until(lambda: spool.client.exists(keys.host_wanted(host)))
                assert not greeted(server, "gw.example.com")
                for slot in spool.client.zrange(keys.host_slots(host), 0, -1):
                    assert isinstance(slot, bytes)
                    spool.client.zincrby(keys.host_slots(host), -10, slot)
                await until(lambda: is_done(spool), 60)

        asyncio.run(scenario())
        assert server.most_open_connections == 2
        assert len(server.messages) == 4


@pytest.fixture
def mortal_redis() -> Iterator[tuple[RedisSettings, subprocess.Popen[bytes]]]:
    """A Redis that a test may kill."""
    directory = Path(tempfile.mkdtemp(prefix="causeway-limits-"))
    socket = directory / "redis.sock"
    process = subprocess.Popen(embedded_redis.command(embedded_redis.find_redis_server(), directory, socket))
    try:
        with redis.Redis(unix_socket_path=str(socket)) as client:
            eventually(lambda: socket.exists() and client.ping())
        yield RedisSettings(url=f"unix://{socket}"), process
    finally:
        process.kill()
        process.wait(10)
        shutil.rmtree(directory)


def test_while_redis_is_away_connections_carry_on_and_nothing_is_granted(
    mortal_redis: tuple[RedisSettings, subprocess.Popen[bytes]],
) -> None:
    redis_settings, process = mortal_redis

    async def scenario(known: SmartHostServer, paced: SmartHostServer) -> None:
        bounded = settings_for(redis_settings, [hop(known, max_connections=5)], **IMPATIENT)
        slow = settings_for(redis_settings, [hop(paced, messages_per_minute=6000)], **IMPATIENT)
        async with courier_of(bounded) as courier, courier_of(slow) as other:
            assert isinstance((await deliver(courier))[0], Delivered)
            assert isinstance((await deliver(other))[0], Delivered)
            process.kill()
            process.wait(10)
            assert isinstance((await deliver(courier))[0], Delivered), "over the connection that is there"
            [held_back] = await deliver(other)
            assert isinstance(held_back, Deferred)
            assert held_back.reply == AT_LIMIT

    with SmartHostServer() as known, SmartHostServer() as paced:
        asyncio.run(scenario(known, paced))
        assert known.connections == 1
        assert (len(known.messages), len(paced.messages)) == (2, 1)
