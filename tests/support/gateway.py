"""A whole gateway as processes, or its ingress alone, between clients and a smart host of the test."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from services.all_services import SERVICES
from services.demo import gateway as demo_gateway
from services.demo.ports import adjacent_ports, free_ports
from shared import configuration
from shared.configuration.redis import RedisSettings
from shared.operations.certificates import SelfSigned
from shared.runtime.data_folder import DataFolder
from shared.runtime.local_gateway import is_ready
from shared.spool.connect import open_spool
from shared.spool.operation import Spool
from tests.conftest import Certificates
from tests.support.ingress import RECIPIENT, SENDER, SYSTEMS, RawClient
from tests.support.processes import eventually, is_running

_STARTED = re.compile(r'"process.started", "process": "([a-z0-9-]+)", "pid": (\d+)')


def resident_bytes(pid: int) -> int:
    """Return the memory that a process holds now."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024


def most_resident_bytes(pid: int) -> int:
    """Return the most memory that a process ever held."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def open_files(pid: int) -> int:
    """Return how many file descriptors a process holds."""
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


@dataclass(frozen=True)
class Gateway:
    """A running `causeway up` with an embedded Redis; 127.0.1.1 speaks for Domino, 127.0.2.1 for Exchange."""

    port: int
    data: DataFolder
    log: Path
    config: Path
    supervisor: int

    def change(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Write another configuration file, in one step."""
        content = yaml.safe_load(self.config.read_text())
        change(content)
        self.config.with_suffix(".new").write_text(yaml.safe_dump(content))
        self.config.with_suffix(".new").replace(self.config)

    def events(self, name: str) -> list[dict[str, Any]]:
        """Return the events of that name in the log so far."""
        lines = [line for line in self.log.read_text().splitlines() if line.startswith("{") and line.endswith("}")]
        return [event for event in map(json.loads, lines) if event["event"] == name]

    def pid(self, name: str) -> int:
        """Return the newest process of that name."""
        return [int(pid) for process, pid in _STARTED.findall(self.log.read_text()) if process == name][-1]

    def spool(self) -> Spool:
        """Open its spool."""
        return open_spool(RedisSettings(url=self.data.url))


def _started(folder: Path, *command: str) -> tuple[subprocess.Popen[bytes], Path]:
    log = folder / "log"
    environment = {**os.environ, "TMPDIR": str(folder)}  # a process that is killed leaves its temporary files
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *command], stdout=output, stderr=output, start_new_session=True, env=environment
        )
    return process, log


def _write(folder: Path, content: Mapping[str, Any]) -> Path:
    file = folder / "causeway.yaml"
    file.write_text(yaml.safe_dump(dict(content)))
    return file


@contextmanager
def gateway(
    folder: Path, certificates: Certificates, smart_host: int, *arguments: str, **sections: dict[str, Any]
) -> Iterator[Gateway]:
    """Run all of a gateway, delivering over STARTTLS to a smart host on that port. sections: changes to settings."""
    made = SelfSigned(certificates.ca, certificates.certificate, certificates.key)
    (port,), http_port = free_ports(1), adjacent_ports()
    catchers = dict.fromkeys(demo_gateway.CLIENTS, smart_host)
    content = demo_gateway.demo_configuration(port, http_port, catchers, made)
    del content["addresses"]
    for name, section in sections.items():
        content[name] = {**content.get(name, {}), **section}
    config, data = _write(folder, content), DataFolder(folder / "data")
    settings = configuration.load(config)
    command = ("services.cli.main", "up", "--config", str(config), "--data", str(data.path), *arguments)
    process, log = _started(folder, *command)
    running = Gateway(port, data, log, config, process.pid)
    try:
        eventually(lambda: process.poll() is not None or is_ready(SERVICES, settings), 60)
        assert process.poll() is None, log.read_text()
        yield running
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0, log.read_text()
    finally:
        process.kill()
        process.wait(10)
        pids = [int(pid) for _, pid in _STARTED.findall(log.read_text())]
        eventually(lambda: not any(map(is_running, pids)))


@dataclass(frozen=True)
class IngressProcess:
    """A running `causeway ingress`; all of loopback speaks for Domino."""

    port: int
    tls_port: int
    pid: int

    def serves(self) -> bool:
        """Whether a client gets its 250 for a message."""
        with RawClient(self.port) as client:
            client.greet().begin(RECIPIENT, sender=SENDER).open_data()
            return client.ask(b"Subject: x\r\n\r\nHello\r\n.").startswith("250 2.0.0 queued as ")


@contextmanager
def ingress_process(
    folder: Path, redis: RedisSettings, certificates: Certificates, **ingress: Any
) -> Iterator[IngressProcess]:
    """Run ingress, with STARTTLS and with a port for implicit TLS. ingress: changes to its settings."""
    port, tls_port = free_ports(2)
    hosts = {"smart_hosts": [{"host": "127.0.0.1"}]}
    given = {
        "redis": {"url": redis.url},
        "ingress": {
            "listen": [f"127.0.0.1:{port}"],
            "listen_tls": [f"127.0.0.1:{tls_port}"],
            "tls": {"certificate": str(certificates.certificate), "key": str(certificates.key)},
            **ingress,
        },
        "systems": [{**system, **hosts} for system in SYSTEMS],
        "http": {"listen": None},
    }
    process, log = _started(folder, "services.ingress", "--config", str(_write(folder, given)))
    running = IngressProcess(port, tls_port, process.pid)
    try:
        eventually(lambda: process.poll() is not None or demo_gateway.listens(port))
        assert process.poll() is None, log.read_text()
        yield running
        process.terminate()
        assert process.wait(30) == 0
        assert "Traceback" not in log.read_text()
    finally:
        process.kill()
        process.wait(10)
