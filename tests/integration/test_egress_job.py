"""A stock `rq worker` drains the egress stage."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.configuration.redis import RedisSettings
from shared.spool import keys
from shared.spool.connect import open_spool
from shared.spool.dead_letters import list_dead
from shared.spool.operation import Spool
from tests.support.egress import SYSTEM, spooled
from tests.support.mail import CONTENT
from tests.support.smart_host import SmartHostServer

QUEUE = keys.egress(SYSTEM)


@pytest.fixture
def spool(redis_settings: RedisSettings) -> Iterator[Spool]:
    opened = open_spool(redis_settings)
    yield opened
    opened.close()


def drain(redis_settings: RedisSettings, directory: Path, server: SmartHostServer, **egress: Any) -> str:
    """Let RQ's own worker do all that waits; return its log."""
    file = directory / "causeway.yaml"
    smart_host = {"host": "127.0.0.1", "port": server.port, "tls": "none"}
    system = {"name": SYSTEM, "kind": "exchange", "smart_hosts": [smart_host]}
    file.write_text(json.dumps({"redis": {"url": redis_settings.url}, "systems": [system], "egress": egress}))
    worker = subprocess.run(
        [
            *(str(Path(sys.executable).with_name("rq")), "worker", "--burst", "--url", redis_settings.url),
            *("-S", "rq.serializers.JSONSerializer", QUEUE),
        ],
        env={**os.environ, "CAUSEWAY_CONFIG": str(file)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return worker.stdout + worker.stderr


def test_a_stock_rq_worker_delivers_with_the_same_result(
    spool: Spool, redis_settings: RedisSettings, tmp_path: Path
) -> None:
    spooled(spool), spooled(spool)
    with SmartHostServer() as server:
        drain(redis_settings, tmp_path, server)
        assert [message.content for message in server.messages] == [CONTENT, CONTENT]
    assert not spool.client.exists(keys.live(QUEUE))
    assert not spool.client.zcard(keys.rq_started(QUEUE))


def test_a_deferred_delivery_is_scheduled_by_rq(spool: Spool, redis_settings: RedisSettings, tmp_path: Path) -> None:
    id = spooled(spool)
    with SmartHostServer(answers={"RCPT": "450 4.2.0 later"}) as server:
        drain(redis_settings, tmp_path, server)
    assert spool.client.zrange(keys.rq_scheduled(QUEUE), 0, -1) == [id.encode()]
    assert spool.client.sismember(keys.live(QUEUE), id)


def test_a_dead_letter_is_a_failed_job(spool: Spool, redis_settings: RedisSettings, tmp_path: Path) -> None:
    id = spooled(spool)
    with SmartHostServer(answers={"RCPT": "550 5.1.1 no"}) as server:
        log = drain(redis_settings, tmp_path, server, refused="dead_letter")
    assert "DeadLetterError: refused: " in log
    assert [(letter.id, letter.reason) for letter in spool.run(list_dead())] == [(id, "refused")]
    assert spool.client.zrange(keys.rq_failed(QUEUE), 0, -1) == [id.encode()]
