"""All smart hosts are dead, then back: what waited is delivered, though its retries are hours away, and by no herd."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import redis

from shared.configuration.egress import RetrySettings
from shared.configuration.redis import RedisSettings
from shared.configuration.smart_hosts import SmartHost
from shared.spool import keys
from shared.spool.operation import Spool
from tests.support.egress import SYSTEM, settings_for
from tests.support.health import let_marks_run_out
from tests.support.processes import eventually
from tests.support.replicas import copies, give, is_drained, replicas, waiting
from tests.support.smart_host import DROP, SmartHostServer

MESSAGES = 200
REPLICAS = 3
CONNECTIONS = 4
LONG = timedelta(hours=4)


def test_mail_that_waited_for_dead_hosts_goes_when_they_are_back_and_by_no_herd(
    redis_client: redis.Redis, redis_settings: RedisSettings, tmp_path: Path
) -> None:
    """What connects at that moment is a probe a host, and then each replica up to its limit; not each message."""
    spool = Spool(redis_client)
    with ExitStack() as stack:
        hosts = [stack.enter_context(SmartHostServer(answers={"CONNECT": DROP})) for _ in range(2)]
        settings = settings_for(
            redis_settings,
            [SmartHost(host="127.0.0.1", port=server.port, tls="none") for server in hosts],
            connections_per_host=CONNECTIONS,
            host_down=LONG,
            host_down_longest=LONG,
            retry=RetrySettings(first=LONG, longest=LONG),
        )
        stack.enter_context(replicas(tmp_path, settings, REPLICAS))
        give(spool, SYSTEM, [f"load-{number:04d}" for number in range(MESSAGES)])
        eventually(lambda: waiting(spool, SYSTEM) == MESSAGES, 90)
        while_dead = [server.connections for server in hosts]
        assert redis_client.hlen(keys.host_health(SYSTEM)) == len(hosts)

        for server in hosts:
            server.answers.clear()
        let_marks_run_out(redis_client, SYSTEM)
        eventually(lambda: is_drained(spool, SYSTEM), 90)
        arrived = copies(hosts)
        assert len(arrived) == MESSAGES
        assert set(arrived.values()) == {1}
        for host, before in zip(hosts, while_dead, strict=True):
            assert host.connections - before <= 1 + REPLICAS * CONNECTIONS
            assert host.most_open_connections <= 1 + REPLICAS * CONNECTIONS
    assert not redis_client.exists(keys.host_health(SYSTEM))


def test_what_a_host_deferred_itself_is_not_flushed_when_another_host_returns(
    redis_client: redis.Redis, redis_settings: RedisSettings, tmp_path: Path
) -> None:
    """A mailbox that is full is no less full when a host comes back."""
    spool = Spool(redis_client)
    with ExitStack() as stack:
        dead = stack.enter_context(SmartHostServer(answers={"CONNECT": DROP}))
        full = stack.enter_context(SmartHostServer(answers={"RCPT": "452 4.2.2 mailbox full"}))
        settings = settings_for(
            redis_settings,
            [
                SmartHost(host="127.0.0.1", port=one.port, tls="none", preference=place)
                for place, one in enumerate((dead, full))
            ],
            host_down=LONG,
            host_down_longest=LONG,
            retry=RetrySettings(first=LONG, longest=LONG),
        )
        stack.enter_context(replicas(tmp_path, settings))
        give(spool, SYSTEM, [f"load-{number:04d}" for number in range(5)])
        eventually(lambda: waiting(spool, SYSTEM) == 5, 90)
        dead.answers.clear()
        let_marks_run_out(redis_client, SYSTEM)
        eventually(lambda: redis_client.exists(keys.returned(keys.egress(SYSTEM))))
        give(spool, SYSTEM, ["new-0001"])
        eventually(lambda: dead.messages)
        assert waiting(spool, SYSTEM) == 5
        assert len(dead.messages) == 1
