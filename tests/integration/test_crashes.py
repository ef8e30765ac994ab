"""Every process is killed under load: what was acknowledged arrives, is reported or is a dead letter."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from pathlib import Path

import pytest
import redis

from services.demo import gateway as demo_gateway
from shared.configuration.redis import RedisSettings
from shared.spool.connect import open_spool
from shared.spool.dead_letters import list_dead
from tests.support.faults import is_drained, short_leases
from tests.support.load import Load, caught
from tests.support.processes import eventually

MESSAGES = int(os.environ.get("CAUSEWAY_CRASH_MESSAGES", "400"))
VICTIMS = ("ingress", "transform", "egress", "redis")
IN_FLIGHT = 200  # egress.max_in_flight


def pids(log: Path) -> dict[str, int]:
    """Return the newest process id of each child in the supervisor's log."""
    found: dict[str, int] = {}
    for line in log.read_text(errors="replace").splitlines():
        if '"process.started"' in line:
            event = json.loads(line)
            found[event["process"]] = event["pid"]
    return found


def kill_and_wait(log: Path, name: str) -> None:
    old = pids(log)[name]
    os.kill(old, signal.SIGKILL)
    eventually(lambda: pids(log)[name] != old, 30)  # the supervisor starts it again


@pytest.mark.parametrize("rounds", [1])
def test_no_acknowledged_message_is_lost_when_every_process_is_killed_in_turn(tmp_path: Path, rounds: int) -> None:
    with demo_gateway.running(tmp_path, alter=short_leases) as gateway:
        log = tmp_path / "gateway.log"
        load = Load(gateway.port, MESSAGES)
        sender = threading.Thread(target=load.run)
        sender.start()
        for part, victim in enumerate(VICTIMS * rounds, start=1):
            share = MESSAGES * part // (len(VICTIMS) * rounds + 1)
            eventually(lambda wanted=share: len(load.acknowledged) >= wanted, 60)  # type: ignore[misc]
            kill_and_wait(log, victim)
        sender.join()
        assert len(load.acknowledged) == MESSAGES

        url = f"unix://{tmp_path / 'data' / 'redis.sock'}"
        with redis.Redis.from_url(url) as client:
            eventually(lambda: is_drained(client), 120)
        spool = open_spool(RedisSettings(url=url))
        dead = spool.run(list_dead())
        spool.close()
        arrived = caught(gateway.caught("exchange"))

    assert dead == []
    assert load.acknowledged - set(arrived) == set(), "lost"
    duplicates = sum(arrived.values()) - len(arrived)
    sys.stdout.write(f"{MESSAGES} acknowledged, {len(arrived)} delivered, {duplicates} duplicates\n")
    assert duplicates <= len(VICTIMS) * rounds * (load.clients + IN_FLIGHT)
