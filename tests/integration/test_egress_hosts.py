"""Smart hosts that fail: the next one takes over, the dead one is left alone, and comes back."""

from __future__ import annotations

import asyncio
import json
import ssl
from typing import Any

import pytest
import redis

from services.egress.app import build_courier, next_hops
from services.egress.balance import Host
from services.egress.courier import Courier
from services.egress.session import Session
from shared.configuration.redis import RedisSettings
from shared.configuration.smart_hosts import SmartHost
from shared.mail.delivery import Delivery
from shared.mail.outcome import Deferred, Delivered, Outcome
from shared.spool import keys
from shared.spool.connect import open_async_spool
from shared.spool.operation import Spool
from tests.conftest import Certificates
from tests.support.egress import SYSTEM, settings_for, spooled, until, working
from tests.support.mail import CONTENT, delivery, message
from tests.support.smart_host import DROP, SmartHostServer


@pytest.fixture
def spool(redis_client: redis.Redis) -> Spool:
    return Spool(redis_client)


def hop(server: SmartHostServer, **settings: Any) -> SmartHost:
    return SmartHost(host="127.0.0.1", port=server.port, **{"tls": "none", **settings})


def a_delivery(*recipients: str) -> Delivery:
    return delivery(message(*recipients).envelope)


def deliver(redis_settings: RedisSettings, hops: list[SmartHost], *deliveries: Delivery) -> list[tuple[Outcome, ...]]:
    """Carry deliveries one after the other with one courier."""

    async def attempt() -> list[tuple[Outcome, ...]]:
        settings = settings_for(redis_settings, hops)
        spool = open_async_spool(redis_settings)
        courier: Courier = build_courier(settings, settings.systems[0], spool)
        try:
            return [await courier.deliver(item, CONTENT, ()) for item in deliveries]
        finally:
            await courier.aclose()
            await spool.aclose()

    return asyncio.run(attempt())


@pytest.mark.parametrize(
    "answers",
    [
        {"CONNECT": "554 5.3.2 go away"},
        {"CONNECT": DROP},
        {"EHLO": "421 4.3.2 closing"},
        {"MAIL": "451 4.3.0 later"},
        {"MAIL": "421 4.3.2 closing"},
        {"DATA": "421 4.3.2 closing"},
        {"DATA": DROP},
        {".": "421 4.3.2 closing"},
    ],
    ids=str,
)
def test_another_host_of_the_tier_takes_over_in_the_same_attempt(
    redis_settings: RedisSettings, answers: dict[str, Any]
) -> None:
    with SmartHostServer(answers=answers) as bad, SmartHostServer() as good:
        hops = [hop(bad, preference=10), hop(good, preference=20)]
        [outcomes] = deliver(redis_settings, hops, a_delivery("a@x.y", "b@x.y"))
        assert [type(outcome) for outcome in outcomes] == [Delivered, Delivered]
        assert bad.connections == 1
        assert len(good.messages) == 1


def test_after_an_ambiguous_end_no_other_host_is_tried(redis_settings: RedisSettings) -> None:
    with SmartHostServer(answers={".": DROP}) as bad, SmartHostServer() as good:
        hops = [hop(bad, preference=10), hop(good, preference=20)]
        [[outcome]] = deliver(redis_settings, hops, a_delivery("a@x.y"))
        assert isinstance(outcome, Deferred)
        assert outcome.ambiguous
        assert not good.connections


def test_recipients_with_a_final_word_are_not_sent_to_another_host(redis_settings: RedisSettings) -> None:
    rcpt: dict[str, Any] = {
        "RCPT": lambda line: "550 5.1.1 no" if "no@" in line else "250 ok",
        "DATA": "421 4.3.2 closing",
    }
    with SmartHostServer(answers=rcpt) as bad, SmartHostServer() as good:
        hops = [hop(bad, preference=10), hop(good, preference=20)]
        [outcomes] = deliver(redis_settings, hops, a_delivery("no@x.y", "yes@x.y"))
        assert len(outcomes) == 2
        assert [received.rcpts for received in good.messages] == [["RCPT TO:<yes@x.y>"]]


def test_required_goes_to_the_next_host_rather_than_into_the_clear(
    redis_settings: RedisSettings, certificates: Certificates
) -> None:
    with SmartHostServer() as stripped:
        [[outcome]] = deliver(redis_settings, [hop(stripped, tls="required")], a_delivery("a@x.y"))
        assert isinstance(outcome, Deferred)
        assert outcome.reply.enhanced == "4.7.4"
        assert not [line for line in stripped.clear_lines if line.startswith(("MAIL", "RCPT", "DATA"))]


def test_a_connection_that_died_while_idle_is_no_failure(spool: Spool, redis_settings: RedisSettings) -> None:
    """The host closes the connection at the second MAIL, as some do after a number of messages."""
    seen: list[str] = []

    def answer(line: str) -> str:
        seen.append(line)
        return DROP if len(seen) == 2 else "250 ok"

    with SmartHostServer(answers={"MAIL": answer}) as server:
        results = deliver(redis_settings, [hop(server)], a_delivery("a@x.y"), a_delivery("b@x.y"))
        assert [type(outcome) for outcomes in results for outcome in outcomes] == [Delivered, Delivered]
        assert server.connections == 2
    assert not spool.client.exists(keys.host_health(SYSTEM))


def test_a_dead_host_is_left_alone_and_its_mark_is_shared(spool: Spool, redis_settings: RedisSettings) -> None:
    with SmartHostServer(answers={"CONNECT": DROP}) as dead, SmartHostServer() as good:
        hops = [hop(dead, preference=10), hop(good, preference=20)]
        deliver(redis_settings, hops, *(a_delivery("a@x.y") for _ in range(10)))
        assert dead.connections == 1
        assert len(good.messages) == 10
        [(host, state)] = spool.client.hgetall(keys.host_health(SYSTEM)).items()
        assert host == f"127.0.0.1:{dead.port}".encode()
        assert json.loads(state)["failures"] == 1


def test_a_host_whose_name_cannot_be_looked_up_is_not_marked_down(spool: Spool, redis_settings: RedisSettings) -> None:
    """The host may be well, and other replicas may know its address. No resolver takes a label of 64 letters."""
    unknown = SmartHost(host="x" * 64, preference=10, tls="none")
    with SmartHostServer() as good:
        [[outcome]] = deliver(redis_settings, [unknown, hop(good, preference=20)], a_delivery("a@x.y"))
        assert isinstance(outcome, Delivered)
    [[outcome]] = deliver(redis_settings, [unknown], a_delivery("a@x.y"))
    assert isinstance(outcome, Deferred)
    assert (outcome.reply.code, outcome.reply.enhanced) == (451, "4.4.3")
    assert outcome.reply.text.startswith(f"cannot look up {unknown.host}: ")
    assert not spool.client.exists(keys.host_health(SYSTEM))


def test_where_all_are_marked_the_best_tier_is_tried_all_the_same(redis_settings: RedisSettings) -> None:
    busy: dict[str, Any] = {"CONNECT": "421 4.3.2 busy"}
    with SmartHostServer(answers=busy) as first, SmartHostServer(answers=dict(busy)) as second:
        hops = [hop(first, preference=10), hop(second, preference=20)]

        async def scenario() -> None:
            settings = settings_for(redis_settings, hops)
            spool = open_async_spool(redis_settings)
            courier = build_courier(settings, settings.systems[0], spool)
            try:
                [outcome] = await courier.deliver(a_delivery("a@x.y"), CONTENT, ())
                assert isinstance(outcome, Deferred)
                first.answers.clear()
                [outcome] = await courier.deliver(a_delivery("a@x.y"), CONTENT, ())
                assert isinstance(outcome, Delivered)
            finally:
                await courier.aclose()
                await spool.aclose()

        asyncio.run(scenario())
        assert (first.connections, second.connections) == (2, 1)


def test_a_host_that_comes_back_is_probed_and_used_again(spool: Spool, redis_settings: RedisSettings) -> None:
    with SmartHostServer(answers={"CONNECT": DROP}) as revived, SmartHostServer() as backup:
        hops = [hop(revived, preference=10), hop(backup, preference=20)]

        async def scenario() -> None:
            async with working(settings_for(redis_settings, hops)):
                spooled(spool)
                await until(lambda: backup.messages)
                revived.answers.clear()
                await until(lambda: revived.lines)  # a probe, without any message
                assert not revived.messages
                field = f"127.0.0.1:{revived.port}"
                await until(lambda: b'"down_until": 0.0' in (spool.client.hget(keys.host_health(SYSTEM), field) or b""))
                spooled(spool)
                await until(lambda: revived.messages)
            assert not spool.client.hexists(keys.host_health(SYSTEM), field)

        asyncio.run(scenario())
        assert len(backup.messages) == 1


def test_the_next_hops_can_be_asked_for(redis_settings: RedisSettings) -> None:
    hops = [SmartHost(host="b.example", preference=20), SmartHost(host="a.example", weight=3)]
    found = next_hops(settings_for(redis_settings, hops), SYSTEM)
    assert isinstance(found, tuple)
    assert [[(one.name, one.weight, one.settings.tls) for one in tier] for tier in found] == [
        [("a.example", 3, "required")],
        [("b.example", 1, "required")],
    ]


def test_a_connection_in_the_clear_never_serves_an_entry_that_demands_tls(
    redis_settings: RedisSettings, certificates: Certificates
) -> None:
    """MX records may lead two entries to one host: the strict one uses no connection that the lax one opened."""

    async def scenario(server: SmartHostServer) -> None:
        lax, strict = hop(server), hop(server, tls="required")
        settings, spool = settings_for(redis_settings, [lax, strict]), open_async_spool(redis_settings)
        courier = build_courier(settings, settings.systems[0], spool)
        pool = courier._pool
        try:
            for entry in (lax, strict):
                where = Host("127.0.0.1", server.port, 10, 1, entry)
                async with pool.slot(where):
                    session = await pool.take(where)
                    assert isinstance(session, Session)
                    assert session.encrypted == (entry is strict)
                    pool.give_back(session)
        finally:
            await courier.aclose()
            await spool.aclose()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.certificate, certificates.key)
    with SmartHostServer(context=context) as server:
        asyncio.run(scenario(server))
