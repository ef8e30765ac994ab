"""Redis has no memory left under load: 452, and what drains the spool goes over the limit."""

from __future__ import annotations

from pathlib import Path

from shared.spool import keys
from tests.support.faults import MESSAGES, under_load
from tests.support.processes import eventually
from tests.support.redis_server import RedisServer


def test_a_full_redis_is_answered_with_452_drained_and_filled_again(tmp_path: Path) -> None:
    with RedisServer(tmp_path / "redis") as server:

        def used_bytes() -> int:
            return int(server.client.info("memory")["used_memory"])

        with under_load(tmp_path, {"url": server.url}) as trial:
            empty_bytes = used_bytes()
            server.client.set(keys.RQ_SUSPENDED, 1)  # `rq suspend`: nothing is worked on, the spool fills
            eventually(lambda: used_bytes() > 3 * empty_bytes and len(trial.load.acknowledged) > MESSAGES // 2, 120)
            server.client.config_set("maxmemory", used_bytes())
            trial.stand_still()
            assert trial.reply() == 452
            server.client.delete(keys.RQ_SUSPENDED)
            account = trial.account("redis out of memory", trial.go_on())
    assert (account.lost, account.reported, account.dead) == (set(), 0, 0)
    assert account.unexplained == set()
    assert account.delivered_twice.total() == 0
