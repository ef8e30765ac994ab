"""The gateway of the demonstration: Redis, all services and two catchers, in a separate folder and on separate ports.

Everything is real and runs on loopback: Redis with fsync on every write, the services as processes, STARTTLS with
certificates created for the run and verified. Domino's side is 127.0.1.1, Exchange's is 127.0.2.1: the gateway
recognizes its clients by network.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from services.all_services import SERVICES
from services.demo.ports import adjacent_ports, free_ports, is_free
from services.demo.program import running_program
from shared import configuration
from shared.configuration.endpoint import Endpoint
from shared.errors import CausewayError
from shared.operations import certificates, embedded_redis
from shared.runtime.data_folder import DataFolder
from shared.runtime.local_gateway import is_ready

CLIENTS = {"notes": "127.0.1.1", "exchange": "127.0.2.1"}
OTHER = {"notes": "exchange", "exchange": "notes"}
NAMES = {"notes": "Domino", "exchange": "Exchange"}
START_SECONDS = 60


Alter = Callable[[dict[str, Any]], None]
"""Changes a configuration in place."""


class DemoFailed(CausewayError):
    """A program did not start, or a message did not arrive as expected."""


def loopback(port: int) -> Endpoint:
    """Return a port of 127.0.0.1, where all of the demonstration listens."""
    return Endpoint("127.0.0.1", port)


@dataclass(frozen=True, slots=True)
class Gateway:
    """A running gateway between two catchers. `caught` is where each catcher keeps what it is sent."""

    port: int
    http_port: int
    directory: Path

    def caught(self, system: str) -> Path:
        """Return the folder of one catcher."""
        return self.directory / "caught" / system


def demo_configuration(
    port: int, http_port: int, catchers: Mapping[str, int], made: certificates.SelfSigned
) -> dict[str, Any]:
    """Return the configuration of the demonstration. catchers: their ports, by system."""

    def system(name: str, kind: str, **more: Any) -> dict[str, Any]:
        host = {"host": "localhost", "port": catchers[name], "tls": "verify", "ca": str(made.ca)}
        return {
            "name": name,
            "kind": kind,
            "networks": [f"{CLIENTS[name]}/32"],
            "domains": [f"{name}.example.com"],
            "public_domain": "example.com",
            "default_route": OTHER[name],
            "smart_hosts": [host],
            **more,
        }

    return {
        "hostname": "causeway.example.com",
        "redis": {"url": "embedded", "durability": "fsync"},
        "ingress": {
            "listen": [str(loopback(port))],
            "tls": {"mode": "opportunistic", "certificate": str(made.certificate), "key": str(made.key)},
        },
        "systems": [
            system("notes", "domino", notes_domains=["ACME"], encapsulation="keep"),
            system("exchange", "exchange", encapsulation="strip"),
        ],
        "addresses": {"map": "addresses.csv"},
        "http": {"listen": str(loopback(http_port))},
    }


def listens(port: int) -> bool:
    """Whether something listens on a port of loopback."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _wait_until_up(gateway: Gateway, catchers: dict[str, int], process: subprocess.Popen[bytes], log: Path) -> None:
    settings = configuration.load(gateway.directory / "causeway.yaml")
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        if is_ready(SERVICES, settings) and all(map(listens, (gateway.port, *catchers.values()))):
            return
        time.sleep(0.1)
    last = log.read_text(errors="replace").strip().splitlines()[-5:]
    raise DemoFailed("the gateway did not start; the end of its log:\n" + "\n".join(last))


@contextmanager
def running(directory: Path, preferred_port: int = 0, alter: Alter = lambda _configuration: None) -> Iterator[Gateway]:
    """Run a gateway and its catchers in `directory` inside the block.

    preferred_port: where it listens if that port is free. alter: changes its configuration. Raises ConfigurationError
    where no Redis server is installed, or the temporary folder has too long a path.
    """
    embedded_redis.find_redis_server()
    data = DataFolder(directory / "data")
    data.check_socket()
    made = certificates.self_signed(directory / "tls", ["localhost", "127.0.0.1"])
    other_port, *catcher_ports = free_ports(1 + len(CLIENTS))
    catchers = dict(zip(CLIENTS, catcher_ports, strict=True))
    port = preferred_port if preferred_port and is_free(preferred_port) else other_port
    gateway = Gateway(port, adjacent_ports(), directory)
    addresses = files("services.demo") / "samples" / "addresses.csv"
    (directory / "addresses.csv").write_text(addresses.read_text())
    config = directory / "causeway.yaml"
    content = demo_configuration(gateway.port, gateway.http_port, catchers, made)
    alter(content)
    config.write_text(yaml.safe_dump(content, sort_keys=False))
    with ExitStack() as stack:
        for name, port in catchers.items():
            command = [sys.executable, "-m", "services.demo.catcher", "--name", NAMES[name].lower()]
            command += ["--listen", str(loopback(port)), "--directory", str(gateway.caught(name))]
            command += ["--certificate", str(made.certificate), "--key", str(made.key)]
            stack.enter_context(running_program(command, directory / f"{name}.log"))
        log = directory / "gateway.log"
        command = [sys.executable, "-m", "services.cli.main", "up", "--config", str(config)]
        command += ["--data", str(data.path)]
        process = stack.enter_context(running_program(command, log))
        _wait_until_up(gateway, catchers, process, log)
        yield gateway
