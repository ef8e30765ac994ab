"""The network between the services and Redis is cut, slow, silent and unsteady under load."""

from __future__ import annotations

import time
from pathlib import Path

from tests.support.faults import short_leases, under_load
from tests.support.line import Line
from tests.support.processes import eventually
from tests.support.redis_server import RedisServer

INTERRUPTIONS = 5


def test_no_mail_is_lost_on_a_line_that_breaks_delays_and_falls_silent(tmp_path: Path) -> None:
    with RedisServer(tmp_path / "redis") as server, Line(server.port) as line:
        url = f"redis://127.0.0.1:{line.port}/0"
        with under_load(tmp_path, {"url": url, "timeout": "2s"}, short_leases) as trial:
            trial.go_on()
            line.cut()
            trial.stand_still()
            assert not trial.is_ready()
            assert trial.reply() == 451
            line.mend()
            recovered = trial.go_on()

            line.delay_seconds = 0.1  # each way
            trial.go_on(20)
            line.delay_seconds = 0.0

            for _ in range(INTERRUPTIONS):
                line.interrupt()
                since = time.monotonic()
                eventually(lambda since=since: time.monotonic() > since + 1, 5)  # type: ignore[misc]

            line.is_silent = True
            trial.stand_still()
            assert trial.reply() == 451
            line.mend()
            account = trial.account("line to Redis cut, slow, silent", max(recovered, trial.go_on()))
    assert (account.lost, account.reported, account.dead) == (set(), 0, 0)
    assert account.unexplained == set()
