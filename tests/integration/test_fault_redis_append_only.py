"""Redis' append-only file is turned off and on again under load: a 250 means durable at every moment of it."""

from __future__ import annotations

from pathlib import Path

from tests.support.faults import short_leases, under_load
from tests.support.processes import eventually
from tests.support.redis_server import RedisServer


def test_no_250_is_sent_from_when_the_file_is_turned_off_until_it_is_whole_again(tmp_path: Path) -> None:
    """Turned on again, Redis calls it on at once, but nothing of it survives until its first rewrite has ended."""
    with RedisServer(tmp_path / "redis") as server:
        with under_load(tmp_path, {"url": server.url}, short_leases) as trial:
            trial.go_on()
            server.client.config_set("appendonly", "no")
            acknowledged = len(trial.load.acknowledged)
            assert trial.stand_still() <= acknowledged + trial.load.clients, "each client may have one earlier reply"
            assert not trial.is_ready()
            assert trial.reply() == 451

            server.client.config_set("rdb-key-save-delay", 300_000)  # microseconds for each key: a long rewrite
            server.client.config_set("appendonly", "yes")
            acknowledged = trial.stand_still()
            assert not trial.is_ready()
            assert server.client.info("persistence")["aof_rewrite_in_progress"] == 1
            server.kill()
            assert len(trial.load.acknowledged) == acknowledged
            server.start()
            eventually(trial.is_ready)
            account = trial.account("appendonly off and on", trial.go_on())
    assert (account.lost, account.reported, account.dead) == (set(), 0, 0)
