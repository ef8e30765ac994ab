"""A wall clock that a test steps under running processes; as with a real one, the monotonic clock goes on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shared.configuration.redis import RedisSettings
from shared.spool.connect import open_spool
from shared.spool.gauge import gauge_queue
from tests.support.faults import QUEUES, Account, under_load
from tests.support.line import Line
from tests.support.processes import eventually
from tests.support.redis_server import RedisServer

HOUR_SECONDS = 3600


class Clock:
    """The clock of every Python process that is started while `patch` lasts, and of who else reads `file`."""

    def __init__(self, file: Path, patch: pytest.MonkeyPatch) -> None:
        self.file = file
        self.step_to(0)
        patch.setenv("CAUSEWAY_TEST_CLOCK", str(file))
        patch.setenv("PYTHONPATH", str(Path(__file__).parent / "stepped_clock"))

    def step_to(self, seconds: int) -> None:
        """Be so many seconds ahead of the true time from now on."""
        new = self.file.with_suffix(".new")
        new.write_text(f"+{seconds}\n")
        new.rename(self.file)


def step_forth_and_back(
    directory: Path, server: RedisServer, clock: Clock, check: Callable[[int], None] = lambda _ahead: None
) -> Account:
    """Step the clock an hour ahead and back, each time while the only smart host is down, marked so, and mail waits.

    check: called after each step. Fails where mail waits for the hour.
    """
    spool = open_spool(RedisSettings(url=server.url))

    def is_anything_scheduled() -> bool:
        return any(spool.run(gauge_queue(queue)).scheduled for queue in QUEUES)

    with Line() as line:

        def by_the_line(configuration: dict[str, Any]) -> None:
            (host,) = configuration["systems"][1]["smart_hosts"]
            line.to, host["port"] = host["port"], line.port

        try:
            with under_load(directory, {"url": server.url}, by_the_line) as trial:
                trial.go_on()
                recovered = 0.0
                for ahead in (HOUR_SECONDS, 0):
                    line.cut()
                    eventually(is_anything_scheduled)
                    clock.step_to(ahead)
                    check(ahead)
                    trial.go_on()
                    line.mend()
                    recovered = max(recovered, trial.deliver_again())
                return trial.account("clock an hour forth and back", recovered)
        finally:
            spool.close()
