"""The egress worker itself: its room, its leases, its stop, and Redis going away."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from random import Random
from threading import Event
from types import GeneratorType
from typing import Any, TypeVar

import pytest
import redis
import redis.asyncio
import rq

from services.egress.app import build_courier
from services.egress.worker import Worker
from shared.configuration.redis import RedisSettings
from shared.configuration.smart_hosts import SmartHost
from shared.mail.delivery import Delivery
from shared.operations import embedded_redis
from shared.runtime.health import Health
from shared.spool import keys
from shared.spool.connect import connect_async
from shared.spool.lease import lease_deliveries
from shared.spool.operation import AsyncSpool, Operation, Spool
from shared.spool.upkeep import promote
from tests.support.egress import SYSTEM, settings_for, spooled, until, working
from tests.support.smart_host import HANG, SmartHostServer

T = TypeVar("T")
QUEUE = keys.egress(SYSTEM)


@pytest.fixture
def spool(redis_client: redis.Redis) -> Spool:
    return Spool(redis_client)


def hop(server: SmartHostServer, **settings: Any) -> SmartHost:
    return SmartHost(host="127.0.0.1", port=server.port, **{"tls": "none", **settings})


def said(server: SmartHostServer, verb: str) -> int:
    return sum(line.startswith(verb) for line, _ in server.lines)


def test_a_stop_finishes_what_is_in_hand(spool: Spool, redis_settings: RedisSettings) -> None:
    spooled(spool)
    go_on = Event()

    def answer(_line: str) -> str:
        go_on.wait(10)
        return "250 2.0.0 ok"

    async def scenario(server: SmartHostServer) -> None:
        async with working(settings_for(redis_settings, [hop(server)])) as worker:
            await until(lambda: said(server, "DATA"))
            worker.stop()
            spooled(spool, "too-late@example.com")
            go_on.set()

    with SmartHostServer(answers={".": answer}) as server:
        asyncio.run(scenario(server))
        assert len(server.messages) == 1
    [left] = spool.run(lease_deliveries(SYSTEM, "test", max_jobs=9, max_bytes=10**9, seconds=9))
    assert [recipient.address for recipient in left.delivery.recipients] == ["too-late@example.com"]


def test_rq_sees_a_worker_busy_while_it_delivers_and_its_runs_counted(
    spool: Spool, redis_settings: RedisSettings, redis_client: redis.Redis
) -> None:
    go_on = Event()

    def answer(_line: str) -> str:
        go_on.wait(10)
        return "250 2.0.0 ok"

    def seen() -> tuple[str, int, int]:
        for worker in rq.Worker.all(connection=redis_client):
            return str(worker.get_state()), worker.successful_job_count, worker.failed_job_count
        return "", 0, 0

    async def scenario(server: SmartHostServer) -> None:
        async with working(settings_for(redis_settings, [hop(server)])):
            await until(lambda: seen() == ("idle", 0, 0))
            spooled(spool)
            await until(lambda: said(server, "DATA"))
            assert seen() == ("busy", 0, 0)
            go_on.set()
            await until(lambda: seen() == ("idle", 1, 0))

    with SmartHostServer(answers={".": answer}) as server:
        asyncio.run(scenario(server))


def test_a_stop_gives_back_at_once_what_cannot_be_finished(spool: Spool, redis_settings: RedisSettings) -> None:
    id = spooled(spool)
    limits = {"shutdown_timeout": timedelta(milliseconds=200), "command_timeout": timedelta(seconds=60)}

    async def scenario(server: SmartHostServer) -> None:
        async with working(settings_for(redis_settings, [hop(server)], **limits)):
            await until(lambda: said(server, "MAIL"))

    with SmartHostServer(answers={"MAIL": HANG}) as server:
        asyncio.run(scenario(server))
    [left] = spool.run(lease_deliveries(SYSTEM, "test", max_jobs=9, max_bytes=10**9, seconds=9))
    assert (left.lease.id, left.lease.crashes, left.delivery.attempts) == (id, 0, 0)


def test_a_stop_after_the_final_dot_records_the_doubt(spool: Spool, redis_settings: RedisSettings) -> None:
    id = spooled(spool)
    limits = {"shutdown_timeout": timedelta(milliseconds=200), "data_timeout": timedelta(seconds=60)}

    async def scenario(server: SmartHostServer) -> None:
        async with working(settings_for(redis_settings, [hop(server)], **limits)):
            await until(lambda: said(server, "DATA"))

    with SmartHostServer(answers={".": HANG}) as server:
        asyncio.run(scenario(server))
    assert b'"ambiguous":true' in (spool.client.hget(keys.delivery(id), "delivery") or b"")
    assert spool.client.zcard(keys.rq_scheduled(QUEUE)) == 1


def test_a_lost_lease_stops_a_delivery_before_its_content(spool: Spool, redis_settings: RedisSettings) -> None:
    id = spooled(spool)
    limits = {"lease": timedelta(milliseconds=400), "command_timeout": timedelta(seconds=60)}

    async def scenario(server: SmartHostServer) -> None:
        async with working(settings_for(redis_settings, [hop(server)], **limits)):
            await until(lambda: said(server, "MAIL"))
            spool.client.hset(keys.delivery(id), "lease", "another")
            await until(lambda: not server.open_connections)
            assert spool.client.hget(keys.delivery(id), "lease") == b"another"
            spool.client.delete(keys.rq_queue(QUEUE), keys.rq_started(QUEUE), keys.live(QUEUE))

    with SmartHostServer(answers={"MAIL": HANG}) as server:
        asyncio.run(scenario(server))
        assert not server.messages


def name_of(operation: Operation[Any]) -> str:
    assert isinstance(operation, GeneratorType)
    return operation.__name__


class LateAnswers(AsyncSpool):
    """A line to Redis on which the answer to a settlement comes only after that to two renewals asked for later."""

    def __init__(self, client: redis.asyncio.Redis) -> None:
        super().__init__(client)
        self._renewals = asyncio.Condition()
        self._count = 0

    async def run(self, operation: Operation[T]) -> T:
        answer = await super().run(operation)
        async with self._renewals:
            if name_of(operation) == "renew":
                self._count += 1
                self._renewals.notify_all()
            elif name_of(operation) == "settle":
                enough = self._count + 2  # what followed the first renewal is over when the second is asked for
                await self._renewals.wait_for(lambda: self._count >= enough)
        return answer


def test_a_lease_that_ended_with_its_settlement_is_not_logged_as_lost(
    spool: Spool, redis_settings: RedisSettings, caplog: pytest.LogCaptureFixture
) -> None:
    id = spooled(spool)

    async def scenario(server: SmartHostServer) -> None:
        settings = settings_for(redis_settings, [hop(server)], lease=timedelta(milliseconds=400))
        async with working(settings, LateAnswers(connect_async(redis_settings))):
            await until(lambda: not spool.client.exists(keys.delivery(id)))

    with SmartHostServer() as server:
        asyncio.run(scenario(server))
        assert len(server.messages) == 1
    reported = {record.getMessage() for record in caplog.records}
    assert not reported & {"delivery.lease_lost", "delivery.stale"}


def test_no_more_is_in_hand_than_allowed(spool: Spool, redis_settings: RedisSettings) -> None:
    for number in range(12):
        spooled(spool, f"r{number}@example.com")

    async def scenario(server: SmartHostServer) -> None:
        async with working(settings_for(redis_settings, [hop(server)], max_in_flight=3)):
            await until(lambda: not spool.client.scard(keys.live(QUEUE)))

    with SmartHostServer() as server:
        asyncio.run(scenario(server))
        assert len(server.messages) == 12
        assert server.most_open_connections <= 3


def test_a_large_message_is_delivered_although_it_exceeds_the_budget(
    spool: Spool, redis_settings: RedisSettings
) -> None:
    content = b"Subject: x\r\n\r\n" + (b"y" * 70 + b"\r\n") * 5000
    spooled(spool, content=content)

    async def scenario(server: SmartHostServer) -> None:
        async with working(settings_for(redis_settings, [hop(server)], max_bytes_in_flight=1024)):
            await until(lambda: server.messages)

    with SmartHostServer() as server:
        asyncio.run(scenario(server))
        assert server.messages[0].content == content


class OwnRedis:
    """A Redis that a test may kill and start again."""

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="causeway-egress-"))
        self.socket = self.directory / "redis.sock"
        self.client = redis.Redis(unix_socket_path=str(self.socket))
        self.start()

    def start(self) -> None:
        binary = embedded_redis.find_redis_server()
        self._process = subprocess.Popen(embedded_redis.command(binary, self.directory, self.socket))

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(10)

    def is_up(self) -> bool:
        try:
            return bool(self.client.ping())
        except redis.RedisError:
            return False

    def close(self) -> None:
        self.kill()
        self.client.close()
        shutil.rmtree(self.directory)


@pytest.fixture
def own_redis() -> Iterator[OwnRedis]:
    server = OwnRedis()
    asyncio.run(until(server.is_up))
    yield server
    server.close()


def test_an_outcome_outlives_an_absence_of_redis(own_redis: OwnRedis) -> None:
    """The message is taken while Redis is dead; it is settled when Redis is back, and not sent again."""
    spool = Spool(own_redis.client)
    spooled(spool)
    go_on = Event()

    def answer(_line: str) -> str:
        go_on.wait(10)
        return "250 2.0.0 ok"

    async def scenario(server: SmartHostServer) -> None:
        redis_settings = RedisSettings(url=f"unix://{own_redis.socket}")
        async with working(settings_for(redis_settings, [hop(server)], lease=timedelta(seconds=30))):
            await until(lambda: said(server, "DATA"))
            own_redis.kill()
            go_on.set()
            await until(lambda: server.messages)
            own_redis.start()
            await until(own_redis.is_up)
            await until(lambda: not own_redis.client.scard(keys.live(QUEUE)))
            spooled(spool)
            await until(lambda: len(server.messages) == 2)

    with SmartHostServer(answers={".": answer}) as server:
        asyncio.run(scenario(server))
        assert len(server.messages) == 2


def test_a_worker_that_was_stopped_beyond_its_lease_sends_no_final_dot(
    spool: Spool, redis_settings: RedisSettings
) -> None:
    """SIGSTOP, or a paused machine: on its return it reads the 354 before it hears that its lease is lost."""
    id = spooled(spool)
    loops: list[asyncio.AbstractEventLoop] = []

    def answer(_line: str) -> str:
        paused = Event()

        def pause() -> None:
            paused.set()
            time.sleep(1)

        loops[0].call_soon_threadsafe(pause)
        assert paused.wait(10)
        spool.client.hset(keys.delivery(id), "lease", "another")
        return "354 go on"

    async def scenario(server: SmartHostServer) -> None:
        loops.append(asyncio.get_running_loop())
        async with working(settings_for(redis_settings, [hop(server)], lease=timedelta(milliseconds=800))):
            await until(lambda: said(server, "DATA"))
            await until(lambda: not server.open_connections)
            assert spool.client.hget(keys.delivery(id), "lease") == b"another"
            spool.client.delete(keys.rq_queue(QUEUE), keys.rq_started(QUEUE), keys.live(QUEUE))

    with SmartHostServer([], answers={"DATA": answer}) as server:
        asyncio.run(scenario(server))
        assert not server.messages


def test_a_stop_keeps_the_outcomes_that_are_known(spool: Spool, redis_settings: RedisSettings) -> None:
    """The host serves one recipient at a time, and falls silent before the second."""
    id = spooled(spool, "first@example.com", "second@example.com")
    limits = {"shutdown_timeout": timedelta(milliseconds=200), "command_timeout": timedelta(seconds=60)}
    seen: list[str] = []

    def answer(line: str) -> str:
        seen.append(line)
        return "250 ok" if len(seen) == 1 else "452 4.5.3 too many" if len(seen) == 2 else HANG

    async def scenario(server: SmartHostServer) -> None:
        async with working(settings_for(redis_settings, [hop(server)], **limits)):
            await until(lambda: said(server, "RCPT") == 3)

    with SmartHostServer([], answers={"RCPT": answer}) as server:
        asyncio.run(scenario(server))
        assert len(server.messages) == 1
    left = Delivery.from_json(spool.client.hget(keys.delivery(id), "delivery") or b"")
    assert [(recipient.state, recipient.ambiguous) for recipient in left.recipients] == [
        ("delivered", False),
        ("pending", False),
    ]
    assert spool.run(promote(QUEUE)) == 1, "the rest waits for no retry"


class DeafSpool(AsyncSpool):
    """A client that swallows the first cancellation of each task, as `wait_for` of Python 3.11 may."""

    def __init__(self, client: redis.asyncio.Redis) -> None:
        super().__init__(client)
        self.swallowed = set[asyncio.Task[Any] | None]()
        self.is_idle = False

    async def run(self, operation: Operation[T]) -> T:
        self.is_idle |= name_of(operation) == "wait_for_work"
        answer = asyncio.ensure_future(super().run(operation))
        try:
            return await asyncio.shield(answer)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task in self.swallowed:
                answer.cancel()
                raise
            self.swallowed.add(task)
            return await answer


def test_a_bug_ends_the_worker_whatever_the_client_swallows(redis_settings: RedisSettings) -> None:
    """So that the process starts anew, instead of going on without what failed."""

    async def scenario() -> None:
        settings = settings_for(redis_settings, [SmartHost(host="127.0.0.1")])
        spool = DeafSpool(connect_async(redis_settings))
        couriers = {SYSTEM: build_courier(settings, settings.systems[0], spool)}

        class Buggy(Health):
            def beat(self) -> None:
                if spool.is_idle:
                    raise LookupError("a bug")

        worker = Worker(settings, spool, couriers, Buggy(), Random(1))
        async with asyncio.timeout(20):
            with pytest.raises(LookupError):
                await worker.run()
        assert spool.swallowed
        await couriers[SYSTEM].aclose()
        await spool.aclose()

    asyncio.run(scenario())
