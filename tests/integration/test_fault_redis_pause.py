"""Redis stands still under load, for longer than clients wait and leases last."""

from __future__ import annotations

import os
import time
from pathlib import Path

from tests.support.faults import short_leases, under_load
from tests.support.processes import eventually
from tests.support.redis_server import RedisServer

PAUSE_SECONDS = float(os.environ.get("CAUSEWAY_FAULT_PAUSE_SECONDS", "11"))
"""More than the ten seconds after which `reclaim` takes a silence for a pause."""


def test_a_redis_that_pauses_beyond_every_lease_costs_no_mail_and_no_second_copy(tmp_path: Path) -> None:
    """Who held a lease when it paused may renew it before anybody takes it away, and settles what was done."""
    with RedisServer(tmp_path / "redis") as server:
        with under_load(tmp_path, {"url": server.url, "timeout": "2s"}, short_leases) as trial:
            trial.go_on()
            server.pause()
            until = time.monotonic() + PAUSE_SECONDS
            acknowledged = trial.stand_still()
            eventually(lambda: time.monotonic() > until, PAUSE_SECONDS + 30)
            assert len(trial.load.acknowledged) == acknowledged
            assert "spool.failed" in trial.log
            server.resume()
            account = trial.account("redis paused", trial.go_on())
    assert (account.lost, account.reported, account.dead) == (set(), 0, 0)
    assert account.unexplained == set()
    assert account.delivered_twice.total() == 0
