"""The network between egress and a smart host is cut, slow and unsteady under load."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from tests.support.faults import short_leases, under_load
from tests.support.line import Line
from tests.support.processes import eventually
from tests.support.redis_server import RedisServer

INTERRUPTIONS = 5


def test_mail_waits_for_the_line_and_every_second_copy_was_in_doubt(tmp_path: Path) -> None:
    """A connection that breaks between the final dot and its reply leaves open who has the message."""
    with RedisServer(tmp_path / "redis") as server, Line() as line:

        def by_the_line(configuration: dict[str, Any]) -> None:
            (host,) = configuration["systems"][1]["smart_hosts"]
            line.to, host["port"] = host["port"], line.port
            short_leases(configuration)

        with under_load(tmp_path, {"url": server.url}, by_the_line) as trial:
            trial.go_on()
            line.cut()
            trial.go_on(100)  # ingress goes on, mail waits
            line.mend()
            recovered = trial.deliver_again()

            line.delay_seconds = 0.1  # each way
            trial.go_on()
            for _ in range(INTERRUPTIONS):
                line.interrupt()
                since = time.monotonic()
                eventually(lambda since=since: time.monotonic() > since + 1, 5)  # type: ignore[misc]
            line.mend()
            account = trial.account("line to the smart host cut and slow", recovered)
    assert (account.lost, account.reported, account.dead) == (set(), 0, 0)
    assert account.unexplained == set()
