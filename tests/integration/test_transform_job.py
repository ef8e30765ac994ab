"""A stock `rq worker` drains the transform stage."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.configuration.redis import RedisSettings
from shared.mail.edits import apply
from shared.spool import keys
from shared.spool.accept import accept
from shared.spool.connect import open_spool
from shared.spool.dead_letters import list_dead
from shared.spool.lease import lease_deliveries
from shared.spool.operation import Spool
from tests.support.mail import SLOW, message
from tests.support.systems import EXCHANGE, NOTES

CONTENT = b"From: john@notes.example.com\r\nTo: jane@example.com\r\nBcc: secret@example.com\r\n\r\nHello\r\n"


@pytest.fixture
def spool(redis_settings: RedisSettings) -> Iterator[Spool]:
    opened = open_spool(redis_settings)
    yield opened
    opened.close()


def drain(redis_settings: RedisSettings, directory: Path, message_timeout: str = "60s") -> str:
    """Let RQ's own worker do all that waits; return its log."""
    file = directory / "causeway.yaml"
    systems = [system.model_dump(mode="json") for system in (NOTES, EXCHANGE)]
    transform = {"message_timeout": message_timeout}
    file.write_text(json.dumps({"redis": {"url": redis_settings.url}, "systems": systems, "transform": transform}))
    worker = subprocess.run(
        [
            *(str(Path(sys.executable).with_name("rq")), "worker", "--burst", "--url", redis_settings.url),
            *("-S", "rq.serializers.JSONSerializer", keys.TRANSFORM),
        ],
        env={**os.environ, "CAUSEWAY_CONFIG": str(file)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return worker.stdout + worker.stderr


def accepted(spool: Spool, content: bytes = CONTENT) -> str:
    new = message("jane@exchange.example.com", sender="john@notes.example.com", content=content)
    spool.run(accept(new))
    return new.envelope.id


def test_a_stock_rq_worker_converts_with_the_same_result(
    spool: Spool, redis_settings: RedisSettings, tmp_path: Path
) -> None:
    ids = [accepted(spool), accepted(spool)]
    drain(redis_settings, tmp_path)
    leased = spool.run(lease_deliveries("exchange", "test", max_jobs=10, max_bytes=10**9, seconds=60))
    assert [job.delivery.message_id for job in leased] == ids
    expected = b"From: john@example.com\r\nTo: jane@example.com\r\n\r\nHello\r\n"
    assert {apply(CONTENT, job.edits) for job in leased} == {expected}
    assert not spool.client.exists(keys.live(keys.TRANSFORM))
    assert not spool.client.zcard(keys.rq_started(keys.TRANSFORM))


def test_a_dead_letter_is_a_failed_job(spool: Spool, redis_settings: RedisSettings, tmp_path: Path) -> None:
    id = accepted(spool, b"X: " + b"a" * 1_000_000 + b"\r\n\r\n")
    log = drain(redis_settings, tmp_path)
    assert "DeadLetterError: malformed: " in log
    [letter] = spool.run(list_dead())
    assert (letter.id, letter.reason) == (id, "malformed")
    assert spool.client.zrange(keys.rq_failed(keys.TRANSFORM), 0, -1) == [id.encode()]


def test_a_crash_is_tried_again_later(spool: Spool, redis_settings: RedisSettings, tmp_path: Path) -> None:
    id = accepted(spool, SLOW)
    drain(redis_settings, tmp_path, message_timeout="100ms")
    assert spool.client.zrange(keys.rq_scheduled(keys.TRANSFORM), 0, -1) == [id.encode()]
    assert spool.client.hmget(keys.message(id), "state", "crashes", "lease") == [b"waiting", b"1", b""]
    assert spool.run(list_dead()) == []


def test_a_job_whose_record_is_done_with_does_nothing(
    spool: Spool, redis_settings: RedisSettings, tmp_path: Path
) -> None:
    id = accepted(spool)
    job = spool.client.dump(keys.rq_job(id))
    assert isinstance(job, bytes)
    drain(redis_settings, tmp_path)
    spool.client.restore(keys.rq_job(id), 0, job, replace=True)
    spool.client.rpush(keys.rq_queue(keys.TRANSFORM), id)
    drain(redis_settings, tmp_path)
    assert int(spool.client.llen(keys.rq_queue(keys.egress("exchange")))) == 1
    assert spool.run(list_dead()) == []
