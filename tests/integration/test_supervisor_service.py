"""A service of several processes: one answers HTTP for all, supervises them, and leaves nothing behind."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest

from shared.configuration.redis import RedisSettings
from shared.spool.accept import accept
from shared.spool.connect import open_spool
from tests.support.mail import message
from tests.support.processes import eventually, is_running

STARTED = re.compile(r'"process.started", "process": "(transform-\d)", "pid": (\d+)')


class Service:
    """`python -m services.transform --processes 2`, its temporary files in a folder of the test."""

    def __init__(self, folder: Path, redis: RedisSettings) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        config = folder / "causeway.yaml"
        host = "smart_hosts: [{host: 127.0.0.1, port: 9, tls: none}]"
        config.write_text(
            f"redis: {{url: '{redis.url}'}}\nhttp: {{listen: '127.0.0.1:{self.port}'}}\n"
            f"systems: [{{name: notes, kind: domino, default_route: exchange, {host}}}, "
            f"{{name: exchange, kind: exchange, {host}}}]\n"
        )
        self.temporary = folder / "tmp"
        self.temporary.mkdir()
        self.log = folder / "log"
        command = [sys.executable, "-m", "services.transform", "--config", str(config), "--processes", "2"]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command, stderr=log, start_new_session=True, env={**os.environ, "TMPDIR": str(self.temporary)}
            )

    def pids(self, name: str) -> list[int]:
        return [int(pid) for process, pid in STARTED.findall(self.log.read_text()) if process == name]

    def get(self, path: str) -> tuple[int, str]:
        assert self.process.poll() is None, self.log.read_text()
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except OSError:
            return 0, ""
        finally:
            connection.close()


@pytest.fixture
def service(tmp_path: Path, redis_settings: RedisSettings) -> Iterator[Service]:
    running = Service(tmp_path, redis_settings)
    yield running
    if running.process.poll() is None:
        os.killpg(running.process.pid, signal.SIGKILL)
    running.process.wait(10)


def test_the_parent_reports_for_all_its_processes(service: Service, redis_settings: RedisSettings) -> None:
    eventually(lambda: service.get("/readyz")[0] == 200)
    spool = open_spool(redis_settings)
    for _ in range(3):
        spool.run(accept(message("b@example.org")))
    spool.close()
    eventually(lambda: 'causeway_stage_seconds_count{stage="transform"} 3.0' in service.get("/metrics")[1])
    assert 'causeway_durability{level="fsync"} 1.0' in service.get("/metrics")[1]

    (pid,) = service.pids("transform-0")
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: len(service.pids("transform-0")) == 2)
    assert 'causeway_stage_seconds_count{stage="transform"} 3.0' in service.get("/metrics")[1], (
        "counts outlive a process"
    )
    assert service.get("/livez")[0] == 200

    children = [*service.pids("transform-0"), *service.pids("transform-1")]
    service.process.send_signal(signal.SIGTERM)
    assert service.process.wait(60) == 0, service.log.read_text()
    assert not any(map(is_running, children))
    assert not list(service.temporary.iterdir())
