"""The disk under Redis' append-only file fills up under load."""

from __future__ import annotations

import resource
from pathlib import Path

from tests.support.faults import short_leases, under_load
from tests.support.processes import eventually
from tests.support.redis_server import RedisServer

ROOM_BYTES = 500_000


def test_a_redis_that_ends_on_a_full_disk_keeps_what_was_acknowledged(tmp_path: Path) -> None:
    """Under `appendfsync always` Redis ends rather than take what it cannot write, however often it is started."""
    with RedisServer(tmp_path / "redis") as server:
        with under_load(tmp_path, {"url": server.url}, short_leases) as trial:
            trial.go_on()
            full_bytes = server.largest_file_bytes() + ROOM_BYTES
            server.limit_files(full_bytes)
            eventually(server.has_ended, 60)
            server.start(full_bytes)
            eventually(server.has_ended, 60)
            assert not trial.is_ready()
            server.start()
            eventually(trial.is_ready)
            account = trial.account("disk full, appendfsync always", trial.go_on())
    assert (account.lost, account.reported, account.dead) == (set(), 0, 0)
    assert account.unexplained == set()


def test_a_redis_that_waits_for_room_on_its_disk_goes_on_by_itself(tmp_path: Path) -> None:
    """Under `appendfsync everysec` Redis refuses writes until it can write again."""
    with RedisServer(tmp_path / "redis", appendfsync="everysec") as server:
        with under_load(tmp_path, {"url": server.url, "durability": "everysec"}, short_leases) as trial:
            trial.go_on()
            server.limit_files(server.largest_file_bytes() + ROOM_BYTES)
            trial.stand_still()
            assert not trial.is_ready()
            assert trial.reply() == 451
            server.limit_files(resource.RLIM_INFINITY)
            account = trial.account("disk full, appendfsync everysec", trial.go_on())
            assert not server.has_ended()
    assert (account.lost, account.reported, account.dead) == (set(), 0, 0)
    assert account.unexplained == set()
