"""A replicated Redis loses its primary under load; three Sentinels choose another, nothing acknowledged goes."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import redis
from redis.sentinel import Sentinel as SentinelClient

from shared.configuration.redis import RedisSettings
from shared.spool.connect import open_spool
from shared.spool.gauge import gauge_spool
from tests.support.faults import short_leases, under_load
from tests.support.processes import eventually
from tests.support.redis_server import Option, RedisServer, Sentinel

REPLICAS = 2
"""Sentinel may promote either: so each has what is acknowledged."""
OPTIONS: dict[str, Option] = {"min_replicas_to_write": 1, "repl_diskless_sync": "yes", "repl_diskless_sync_delay": 0}


def takes_writes(server: RedisServer) -> bool:
    try:
        return bool(server.client.set("probe", "1"))
    except redis.RedisError:
        return False


def test_a_failover_loses_nothing_and_an_old_primary_takes_no_mail(tmp_path: Path) -> None:
    with ExitStack() as stack:
        primary = stack.enter_context(RedisServer(tmp_path / "primary", **OPTIONS))
        replicas = [
            stack.enter_context(
                RedisServer(tmp_path / f"replica-{number}", replicaof=f"127.0.0.1 {primary.port}", **OPTIONS)
            )
            for number in range(REPLICAS)
        ]
        eventually(lambda: takes_writes(primary))
        sentinels = [stack.enter_context(Sentinel(tmp_path / f"sentinel-{n}", primary)) for n in range(3)]
        nodes = [f"127.0.0.1:{sentinel.port}" for sentinel in sentinels]
        client = SentinelClient([("127.0.0.1", sentinel.port) for sentinel in sentinels])  # type: ignore[no-untyped-call]

        def knows_all() -> bool:
            state: Any = client.sentinels[0].sentinel_master("causeway")
            return bool(state["num-slaves"] == REPLICAS and state["num-other-sentinels"] == 2)

        def current() -> int:
            """Return the port of the primary, 0 where there is none."""
            try:
                return int(client.discover_master("causeway")[1])  # type: ignore[no-untyped-call]
            except redis.RedisError:
                return 0

        eventually(knows_all)
        redis_section = {
            "sentinel": {"service": "causeway", "nodes": nodes},
            "durability": "replicated",
            "replicas": REPLICAS,
            "timeout": "2s",
        }
        with under_load(tmp_path, redis_section, short_leases) as trial:
            trial.go_on()
            primary.kill()
            ports = {replica.port: replica for replica in replicas}
            eventually(lambda: current() in ports, 60)
            promoted = ports[current()]
            trial.stand_still()
            assert trial.reply() == 451, "one replica of two is away"

            primary.start()  # as it was configured: it believes that it is the primary
            assert not takes_writes(primary)
            account = trial.account("failover", trial.go_on())
            eventually(lambda: primary.client.info("replication")["role"] == "slave")
            eventually(lambda: promoted.client.info("replication")["connected_slaves"] == REPLICAS)

            promoted.client.config_set("min-replicas-to-write", 0)
            spool = open_spool(RedisSettings.model_validate(redis_section))
            problem = spool.run(gauge_spool(RedisSettings.model_validate(redis_section))).problem
            spool.close()
            assert "min-replicas-to-write 1" in problem
            assert not trial.is_ready()
        for node in client.sentinels:
            node.close()
    assert (account.lost, account.reported, account.dead) == (set(), 0, 0)
