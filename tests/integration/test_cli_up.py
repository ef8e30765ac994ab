"""`causeway up` with everything real: Redis, three services, a child of each killed, Ctrl-C."""

from __future__ import annotations

import json
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

from services.demo.ports import adjacent_ports, free_ports
from shared.administration.installation import open_installation
from shared.administration.queues import gauge_queues
from shared.runtime.data_folder import DataFolder
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
            self.process = subprocess.Popen(
                self.command(*arguments),
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={**os.environ, "TMPDIR": str(folder)},  # a process that is killed leaves its temporary files
            )

    def command(self, *arguments: str) -> list[str]:
        program = [sys.executable, "-m", "services.cli.main", "up"]
        return [*program, "--config", str(self.config), "--data", str(self.data), *arguments]

    def has_printed(self, text: str) -> bool:
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


def refused(command: list[str]) -> list[str]:
    """Run an `up` that has to give up at once; return what it says."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "process.started" not in done.stderr
    return done.stderr.splitlines()


def waiting(up: Up) -> int:
    with open_installation(up.config, up.data) as installation:
        return sum(gauge.depth + gauge.leased + gauge.scheduled for gauge in gauge_queues(installation))


def test_up_carries_mail_survives_kills_and_drains(up: Up) -> None:
    """A child of each service and Redis are killed; accepted mail is still there; Ctrl-C ends all, in order."""
    eventually(lambda: up.has_printed("causeway is up"))
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


def test_a_second_up_on_the_same_port_is_refused_at_its_start(up: Up, tmp_path: Path) -> None:
    """Ingress shares its port among its processes, but never with another gateway."""
    eventually(lambda: up.has_printed("causeway is up"))
    other = tmp_path / "other.yaml"
    other.write_text(CONFIGURATION.format(smtp=up.smtp, http=adjacent_ports(), dead=1))
    command = [*up.command(), "--config", str(other), "--data", str(tmp_path / "other")]
    (said,) = (line for line in refused(command) if not line.startswith("{"))
    assert said.startswith(f"{other}: ingress.listen: 127.0.0.1:{up.smtp} is in use, ")


def test_a_signal_to_every_process_leaves_redis_for_the_last(up: Up) -> None:
    """As systemd and `timeout` stop things: Redis hears neither the group's signals nor SIGTERM."""
    eventually(lambda: up.has_printed("causeway is up"))
    (redis,) = up.pids("redis")
    assert os.getpgid(redis) != up.process.pid
    for pid in up.all_pids():
        os.kill(pid, signal.SIGTERM)
    os.killpg(up.process.pid, signal.SIGTERM)
    assert up.process.wait(60) == 0
    assert '"process.died", "process": "redis"' not in up.log.read_text()
    assert "process.killed" not in up.log.read_text()
    assert not any(map(is_running, up.all_pids()))


def test_the_log_of_up_is_events_and_redis_has_a_file_of_its_own(up: Up) -> None:
    eventually(lambda: up.has_printed("causeway is up"))
    assert (up.data / "redis.log").exists()
    up.process.terminate()
    assert up.process.wait(60) == 0
    log = up.log.read_text()
    banner = log[log.index("causeway is up") : log.index("Ctrl-C stops it")]
    rest = [line for line in log.replace(banner, "").splitlines() if not line.startswith("Ctrl-C")]
    assert all(json.loads(line)["event"] for line in rest)


def test_a_port_of_another_program_ends_up_at_its_start(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        file = tmp_path / "causeway.yaml"
        for smtp, http, key in (
            (port, adjacent_ports(), "ingress.listen"),
            (free_ports(1)[0], port - 2, "http.listen+2 (egress)"),
        ):
            file.write_text(CONFIGURATION.format(smtp=smtp, http=http, dead=1))
            command = [sys.executable, "-m", "services.cli.main", "up", "--config", str(file)]
            output = refused([*command, "--data", str(tmp_path / "data")])
            assert [line for line in output if line.startswith(f"{file}: {key}: 127.0.0.1:{port} is in use, ")]


@pytest.mark.parametrize("command", ["check", "up", "ingress", "transform", "egress"])
def test_without_a_configuration_one_line_says_so(tmp_path: Path, command: str) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CAUSEWAY_")}
    environment["PYTHONPATH"] = str(Path(__file__).parents[2])
    program = [sys.executable, "-m", "services.cli.main", command]
    done = subprocess.run(
        program, capture_output=True, text=True, timeout=60, cwd=tmp_path, env=environment, check=False
    )
    assert done.returncode == 1
    faults = [line for line in done.stderr.splitlines() if not line.startswith("warning: ")]
    assert faults == ["causeway.yaml: not found here: copy causeway.example.yaml to it, or name the file with --config"]
