"""The clock of the services steps an hour forth and back under load; Redis', by which leases run, does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.clock import Clock, step_forth_and_back
from tests.support.redis_server import RedisServer


def test_services_whose_clock_steps_lose_no_mail_and_wait_for_no_hour(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(tmp_path / "clock", monkeypatch)
    with RedisServer(tmp_path / "redis") as server:
        account = step_forth_and_back(tmp_path, server, clock)
    assert (account.lost, account.reported, account.dead) == (set(), 0, 0)
    assert account.unexplained == set()
