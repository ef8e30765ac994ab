"""Causeway as it is compared, and the sink that everything delivers to."""

from __future__ import annotations

import json
import os
import sys
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import yaml
from redis.exceptions import RedisError

from bench.processes import wait_for
from services.all_services import SERVICES
from services.demo import gateway as demo_gateway
from services.demo.ports import adjacent_ports, free_ports
from services.demo.program import running_program
from shared import configuration
from shared.configuration.redis import RedisSettings
from shared.operations import certificates, embedded_redis
from shared.runtime import local_gateway
from shared.runtime.data_folder import DataFolder
from shared.spool.connect import open_spool
from shared.spool.operation import Spool

Start = Callable[[Path, int], AbstractContextManager[int]]
"""How a system is run in a folder, given the sink's port: yields its own port."""

PROGRAMS = (*(service.name for service in SERVICES), "redis")


@contextmanager
def sink(directory: Path, made: certificates.SelfSigned, *options: str) -> Iterator[tuple[int, Path]]:
    """Run the sink; yields its port and the file with its count. options: others of its command line."""
    (port,), count = free_ports(1), directory / "count"
    command = [sys.executable, "-m", "bench.sink", "--port", str(port), "--count", str(count)]
    command += ["--certificate", str(made.certificate), "--key", str(made.key), *options]
    count.unlink(missing_ok=True)
    with running_program(command, directory / "sink.log"):
        wait_for(count.exists, "the sink")
        yield port, count


def configured(
    sink_port: int, made: certificates.SelfSigned, redis_url: str = "embedded", dead: Collection[str] = ()
) -> dict[str, Any]:
    """Return a configuration between two systems that both deliver to the sink. dead: systems whose host is down."""
    port, closed_port = free_ports(2)

    def system(name: str, kind: str, **more: Any) -> dict[str, Any]:
        host_port = closed_port if name in dead else sink_port
        return {
            "name": name,
            "kind": kind,
            "networks": [f"{demo_gateway.CLIENTS[name]}/32"],
            "domains": [f"{name}.example.com"],
            "public_domain": "example.com",
            "default_route": demo_gateway.OTHER[name],
            "smart_hosts": [{"host": "localhost", "port": host_port, "tls": "verify", "ca": str(made.ca)}],
            **more,
        }

    return {
        "hostname": "causeway.example.com",
        "redis": {"url": redis_url, "durability": "fsync"},
        "ingress": {"listen": [str(demo_gateway.loopback(port))], "tls": {"mode": "none"}},
        "systems": [
            system("notes", "domino", notes_domains=["ACME"]),
            system("exchange", "exchange", encapsulation="strip"),
        ],
        "addresses": {"map": str(Path(demo_gateway.__file__).parent / "samples" / "addresses.csv")},
        "http": {"listen": str(demo_gateway.loopback(adjacent_ports()))},
    }


def write_configuration(directory: Path, content: dict[str, Any]) -> Path:
    """Write a causeway.yaml; return its path."""
    config = directory / "causeway.yaml"
    config.write_text(yaml.safe_dump(content))
    return config


@contextmanager
def up(directory: Path, content: dict[str, Any], **processes: int) -> Iterator[int]:
    """Run a configured Causeway, so many processes of each service; yields its port. Raises RuntimeError."""
    config = write_configuration(directory, content)
    command = [sys.executable, "-m", "services.cli.main", "up", "--config", str(config)]
    command += ["--data", str(directory / "data")]
    for name, count in processes.items():
        command += ["--processes", f"{name}={count}"]
    settings = configuration.load(config)
    with running_program(command, _log(directory)) as process:
        try:
            wait_for(lambda: local_gateway.is_ready(SERVICES, settings) or process.poll() is not None, "Causeway")
            if process.returncode is not None:
                raise RuntimeError(f"Causeway ended with {process.returncode}")
        except RuntimeError as error:
            last = _log(directory).read_text().splitlines()[-3:]
            raise RuntimeError("\n".join((f"{error}; the end of its log:", *last))) from None
        yield settings.ingress.listen[0].port


@contextmanager
def causeway(directory: Path, sink_port: int, made: certificates.SelfSigned, **processes: int) -> Iterator[int]:
    """Run Causeway with an embedded Redis that syncs every write; yields its port.

    As many processes convert as there are cores, unless given. Raises RuntimeError if it logged an error,
    as of a message that it parked.
    """
    counts = {"transform": os.cpu_count() or 1, **processes}
    with up(directory, configured(sink_port, made), **counts) as port:
        yield port
        if found := faults(directory):
            raise RuntimeError(f"Causeway met a fault: {found[0]}")


@contextmanager
def redis(directory: Path) -> Iterator[tuple[str, int]]:
    """Run the embedded Redis alone; yields its URL and process id."""
    data = DataFolder(directory / "redis")
    with data.locked():
        command = embedded_redis.command(embedded_redis.find_redis_server(), data.path, data.socket)
        with running_program(command, directory / "redis.log") as process, opened(data.url) as spool:
            wait_for(lambda: _answers(spool), "Redis")
            yield data.url, process.pid


def _answers(spool: Spool) -> bool:
    try:
        return bool(spool.client.ping())
    except RedisError:
        return False


@contextmanager
def opened(url: str) -> Iterator[Spool]:
    """Yield the spool behind a URL."""
    spool = open_spool(RedisSettings(url=url))
    try:
        yield spool
    finally:
        spool.close()


def embedded_url(directory: Path) -> str:
    """Return the URL of the Redis of a Causeway that runs in `directory`."""
    return DataFolder(directory / "data").url


def pids(directory: Path) -> dict[str, list[int]]:
    """Return the processes of each service of a Causeway that runs in `directory`, from its log."""
    newest = {event["process"]: event["pid"] for event in _events(directory) if event["event"] == "process.started"}
    found: dict[str, list[int]] = defaultdict(list)
    for name, pid in newest.items():
        found[name.partition("-")[0]].append(pid)
    return dict(found)


def faults(directory: Path) -> list[dict[str, Any]]:
    """Return the errors logged by a Causeway that runs in `directory`."""
    return [event for event in _events(directory) if event["level"] == "error"]


def _events(directory: Path) -> Iterator[dict[str, Any]]:
    for line in _log(directory).read_text().splitlines():
        if line.startswith("{"):
            yield json.loads(line)


def _log(directory: Path) -> Path:
    return directory / "causeway.log"
