"""Messages that spin, kill their worker or hang it: each ends, and its neighbours of the same batch arrive once."""

from __future__ import annotations

import json
import os
import signal
import ssl
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import pytest
import redis

from shared.configuration.redis import RedisSettings
from shared.operations.processes import Child, Program, Supervisor
from shared.spool import keys
from shared.spool.accept import accept
from shared.spool.connect import open_spool
from shared.spool.dead_letters import list_dead
from shared.spool.history import read_history
from shared.spool.operation import Spool
from tests.conftest import Certificates
from tests.support.mail import message
from tests.support.processes import eventually
from tests.support.smart_host import SmartHostServer
from tests.support.systems import EXCHANGE, NOTES

PATIENCE_SECONDS = 300
"""Several seconds of work, on a machine that may be busy with much else."""
NEIGHBOURS = 10
PARAGRAPH = b'<p class=MsoNormal style="mso-margin-top-alt:auto;color:red"><o:p>&nbsp;</o:p></p>\r\n'
HEADER = b"From: jane@exchange.example.com\r\nContent-Type: text/html; charset=utf-8\r\n\r\n"
CPU_SECONDS = 2
"""What the kernel lets a worker have, as it might of memory: enough to start and to convert all but the poison."""
POISON = HEADER + PARAGRAPH * 200_000
"""Some nine seconds' work."""
SLOW = HEADER + PARAGRAPH * 20_000


@pytest.fixture
def spool(redis_settings: RedisSettings) -> Iterator[Spool]:
    opened = open_spool(redis_settings)
    yield opened
    opened.close()


@pytest.fixture
def host(certificates: Certificates) -> Iterator[SmartHostServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.certificate, certificates.key)
    with SmartHostServer(context=context) as running:
        yield running


def accept_html(spool: Spool, name: str, content: bytes) -> str:
    """Accept a message from Exchange; return its id."""
    made = message(f"{name}@notes.example.com", sender="jane@exchange.example.com", content=content)
    spool.run(accept(replace(made, envelope=replace(made.envelope, source="exchange"))))
    return made.envelope.id


def accept_batch(spool: Spool, poison: bytes) -> str:
    """Accept neighbours with a poison in their midst; return its id. One lease takes them all."""
    for number in range(NEIGHBOURS // 2):
        accept_html(spool, f"before{number}", HEADER + PARAGRAPH)
    id = accept_html(spool, "poison", poison)
    for number in range(NEIGHBOURS // 2):
        accept_html(spool, f"after{number}", HEADER + PARAGRAPH)
    return id


@contextmanager
def working(
    folder: Path,
    redis: RedisSettings,
    host: SmartHostServer,
    *,
    workers: int = 1,
    limit: str = "unlimited",
    **transform: object,
) -> Iterator[None]:
    """Run egress and so many transform workers, each started again when it dies. limit: CPU seconds of each life."""
    hosts = {"smart_hosts": [{"host": "127.0.0.1", "port": host.port, "tls": "required"}]}
    given = {
        "redis": {"url": redis.url},
        "systems": [{**system.model_dump(mode="json"), **hosts} for system in (NOTES, EXCHANGE)],
        "transform": {"lease": "1s", **transform},
        "http": {"listen": None},
    }
    config = folder / "causeway.yaml"
    config.write_text(json.dumps(given))  # JSON is YAML

    def child(name: str, service: str, limit: str) -> Child:
        command = [sys.executable, "-m", f"services.{service}", "--config", str(config)]
        limited = ["sh", "-c", f'ulimit -t {limit} && exec "$@"', "sh", *command]
        return Child(Program(name, limited, log=folder / f"{name}.log"))

    transforms = [child(f"transform-{number}", "transform", limit) for number in range(workers)]
    supervisor = Supervisor([transforms, [child("egress", "egress", "unlimited")]])
    thread = threading.Thread(target=supervisor.run)
    thread.start()
    try:
        yield
    finally:
        supervisor.stop()
        thread.join(60)
        assert not thread.is_alive()


def arrived(host: SmartHostServer) -> list[str]:
    """Return the name of each recipient that a message came for, sorted."""
    return sorted(line.partition("<")[2].partition("@")[0] for received in host.messages for line in received.rcpts)


NEIGHBOURS_ONCE = sorted(f"{where}{number}" for where in ("before", "after") for number in range(NEIGHBOURS // 2))


def is_drained(client: redis.Redis) -> bool:
    return not any(client.scard(keys.live(queue)) for queue in (keys.TRANSFORM, keys.egress("notes")))


def test_a_message_that_kills_its_worker_is_a_dead_letter_and_its_neighbours_arrive_once(
    spool: Spool, redis_settings: RedisSettings, host: SmartHostServer, tmp_path: Path
) -> None:
    """The kernel kills the worker over it, first with the whole batch in hand, then alone."""
    poison = accept_batch(spool, POISON)
    with working(tmp_path, redis_settings, host, limit=str(CPU_SECONDS), max_crashes=2):
        eventually(lambda: is_drained(spool.client), PATIENCE_SECONDS)
    [letter] = spool.run(list_dead())
    assert (letter.id, letter.stage, letter.reason) == (poison, "transform", "poison")
    assert arrived(host) == NEIGHBOURS_ONCE
    events = [event.name for event in spool.run(read_history(poison))]
    assert events == ["message.accepted", "message.interrupted", "message.interrupted", "message.parked"]
    assert spool.client.exists(keys.content(poison))


def test_a_message_that_spins_is_a_dead_letter_and_its_neighbours_arrive_once(
    spool: Spool, redis_settings: RedisSettings, host: SmartHostServer, tmp_path: Path
) -> None:
    """The alarm fires; the batch continues, and the message is retried once."""
    poison = accept_batch(spool, POISON)
    with working(tmp_path, redis_settings, host, message_timeout="1s", max_crashes=2):
        eventually(lambda: is_drained(spool.client), PATIENCE_SECONDS)
    [letter] = spool.run(list_dead())
    assert (letter.id, letter.stage, letter.reason) == (poison, "transform", "crash")
    assert letter.detail.startswith("timeout: ")
    assert arrived(host) == NEIGHBOURS_ONCE
    events = [event.name for event in spool.run(read_history(poison))]
    assert events == ["message.accepted", "message.crashed", "message.crashed", "message.parked"]


def test_a_worker_that_hangs_loses_its_message_to_another_and_changes_nothing_when_it_wakes(
    spool: Spool, redis_settings: RedisSettings, host: SmartHostServer, tmp_path: Path
) -> None:
    """Stopped during a conversion, as a hang that no alarm interrupts stops all its threads."""
    id = accept_html(spool, "slow", SLOW)
    client = spool.client

    def holder() -> str:
        lease = client.hget(keys.message(id), "lease")
        return lease.decode().rpartition(".")[0] if isinstance(lease, bytes) else ""

    def logged_by(event: str) -> list[Path]:
        return [log for log in tmp_path.glob("transform-*.log") if f'"{event}"' in log.read_text()]

    with working(tmp_path, redis_settings, host, workers=2):
        eventually(lambda: len(logged_by("worker.started")) == 2 and holder())
        first = holder()
        pid = client.hget(keys.rq_worker(first), "pid")
        assert isinstance(pid, bytes)
        os.kill(int(pid), signal.SIGSTOP)
        try:
            eventually(lambda: host.messages, PATIENCE_SECONDS)
        finally:
            os.kill(int(pid), signal.SIGCONT)
        eventually(lambda: logged_by("lease.lost") or logged_by("message.stale"), PATIENCE_SECONDS)
        eventually(lambda: is_drained(client), PATIENCE_SECONDS)
    assert arrived(host) == ["slow"]
    assert spool.run(list_dead()) == []
    events = [name for name, _ in groupby(event.name for event in spool.run(read_history(id)))]
    assert events == ["message.accepted", "message.interrupted", "message.converted", "delivery.delivered"]
