"""`causeway up` with everything real: Redis, three services, a child of each killed, Ctrl-C."""

from __future__ import annotations

import os
import re
import signal
import smtplib
import socket
import subprocess
import sys
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest

from services.console.data import DataFolder
from services.console.operations import opened
from tests.support.processes import eventually, is_running

CONFIGURATION = """
hostname: causeway.example.com
redis: {{url: embedded}}
ingress: {{listen: ["127.0.0.1:{smtp}"], tls: {{mode: none}}}}
systems:
  - name: notes
    kind: domino
    networks: [127.0.0.0/8]
    domains: [notes.example.com]
    public_domain: example.com
    default_route: exchange
    smart_hosts: [{{host: 127.0.0.1, port: {dead}, tls: none}}]
  - name: exchange
    kind: exchange
    domains: [exchange.example.com]
    public_domain: example.com
    default_route: notes
    smart_hosts: [{{host: 127.0.0.1, port: {dead}, tls: none}}]
http: {{listen: "127.0.0.1:{http}"}}
"""
STARTED = re.compile(r'"process.started", "process": "([a-z0-9-]+)", "pid": (\d+)')


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def adjacent_ports() -> int:
    """Return the first of three free ports in a row."""
    for _ in range(100):
        (first,) = free_ports(1)
        try:
            for port in range(first, first + 3):
                socket.create_server(("127.0.0.1", port)).close()
        except (OSError, OverflowError):
            continue
        return first
    raise AssertionError("no three ports in a row are free")


class Up:
    """A running `causeway up`, its output in a file."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.folder = folder
        self.smtp, dead = free_ports(2)
        self.http = adjacent_ports()
        self.config = folder / "causeway.yaml"
        self.config.write_text(CONFIGURATION.format(smtp=self.smtp, http=self.http, dead=dead))
        self.data = folder / "data"
        self.log = folder / "log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(self.command(*arguments), stdout=log, stderr=log, start_new_session=True)

    def command(self, *arguments: str) -> list[str]:
        program = [sys.executable, "-m", "services.console.main", "up"]
        return [*program, "--config", str(self.config), "--data", str(self.data), *arguments]

    def told(self, text: str) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        return text in self.log.read_text()

    def pids(self, name: str) -> list[int]:
        return [int(pid) for process, pid in STARTED.findall(self.log.read_text()) if process == name]

    def all_pids(self) -> list[int]:
        return [int(pid) for _, pid in STARTED.findall(self.log.read_text())]

    def is_ready(self, offset: int) -> bool:
        connection = HTTPConnection("127.0.0.1", self.http + offset, timeout=5)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def send(self) -> None:
        with smtplib.SMTP("127.0.0.1", self.smtp, timeout=20) as client:
            client.sendmail("a@notes.example.com", ["b@exchange.example.com"], "Subject: x\r\n\r\nHello\r\n")

    def close(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)
        eventually(lambda: not any(map(is_running, self.all_pids())))


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    running = Up(tmp_path, "--processes", "transform=2")
    yield running
    running.close()


def waiting(up: Up) -> int:
    with opened(up.config, up.data) as causeway:
        return sum(one.depth + one.leased + one.scheduled for one in causeway.queues())


def test_up_carries_mail_survives_kills_and_drains(up: Up) -> None:
    """A child of each service and Redis are killed; accepted mail is still there; Ctrl-C ends all, in order."""
    eventually(lambda: up.told("causeway is up"))
    up.send()
    eventually(lambda: waiting(up) == 1)

    second = subprocess.Popen(up.command(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    killed = ("redis", "ingress", "egress", "transform-0")
    for name in killed:
        (pid,) = up.pids(name)
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: all(len(up.pids(name)) == 2 for name in killed))
    eventually(lambda: all(up.is_ready(offset) for offset in range(3)))
    assert waiting(up) == 1
    up.send()
    eventually(lambda: waiting(up) == 2)
    _, refused = second.communicate(timeout=60)
    assert second.returncode == 1
    assert "is in use by another `causeway up`: stop it, or choose a folder with --data" in refused

    os.killpg(up.process.pid, signal.SIGINT)
    assert up.process.wait(60) == 0, up.log.read_text()
    assert not any(map(is_running, up.all_pids()))
    assert not DataFolder(up.data).socket.exists()
    assert "Traceback" not in up.log.read_text()


def test_nothing_outlives_an_up_that_is_killed(up: Up) -> None:
    eventually(lambda: len(up.pids("transform-1")) == 1)
    up.process.kill()
    eventually(lambda: not any(map(is_running, up.all_pids())))
