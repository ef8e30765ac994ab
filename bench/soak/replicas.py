"""A gateway of replicas, as an orchestrator runs it: each process can be started, killed, replaced, retired."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import redis
import yaml

from services.all_services import SERVICES
from services.demo import gateway as demo_gateway
from services.demo.ports import free_ports
from shared import configuration
from shared.operations import embedded_redis
from shared.operations.certificates import SelfSigned
from shared.operations.processes import Child, Program
from shared.runtime import local_gateway
from shared.runtime.service import Service

KEEP_SECONDS = 0.05
READY_SECONDS = 90.0
BY_NAME: dict[str, Service] = {service.name: service for service in SERVICES}


def _merged(base: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    both = {key: _merged(base[key], value) for key, value in changes.items() if isinstance(base.get(key), dict)}
    return {**base, **changes, **both}


class Gateway:
    """Redis, and as many processes of each service as are wanted; what dies is started again, as `causeway up` would.

    Inside the `with` block Redis runs. `port`: where every ingress listens. `url`: of Redis. Read at any time:
    `deaths`, the names of processes that ended without a stop signal, and `overdue`, those that did not end in
    time after it.
    """

    def __init__(self, directory: Path, made: SelfSigned, smart_host_port: int, changes: Mapping[str, Any]) -> None:
        """Prepare. changes: to the configuration of the demonstration, as `causeway.yaml` would have them."""
        self.directory = directory
        (self.port,) = free_ports(1)
        socket = directory / "redis.sock"
        self.url = f"unix://{socket}"
        hosts = dict.fromkeys(demo_gateway.CLIENTS, smart_host_port)
        base = demo_gateway.demo_configuration(self.port, 1, hosts, made)
        del base["addresses"], base["http"]
        self._config = directory / "causeway.yaml"
        self._config.write_text(yaml.safe_dump(_merged(_merged(base, {"redis": {"url": self.url}}), changes)))
        self.settings = configuration.load(self._config)
        self.deaths: list[str] = []
        self.overdue: list[str] = []
        self._asked: set[int] = set()
        self._numbers = dict.fromkeys(BY_NAME, 0)
        self._children: list[Child] = []
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name="keeper")  # what it starts ends with it
        command = embedded_redis.command(embedded_redis.find_redis_server(), directory, socket)
        self._redis = self._child(
            Program("redis", command, {}, 30, self._answers, apart=True, log=directory / "redis.log")
        )

    def __enter__(self) -> Gateway:
        self._children.append(self._redis)
        self._keeper.start()
        _wait(self._redis.program.is_ready, READY_SECONDS, "Redis is not ready")
        return self

    def __exit__(self, *_: object) -> None:
        try:
            for service in BY_NAME:
                for child in self.replicas(service):
                    self._end(child)
            self._end(self._redis)
        finally:
            self._ended.set()
            self._keeper.join()

    @property
    def children(self) -> list[Child]:
        """Every process that ought to run, Redis among them."""
        with self._lock:
            return list(self._children)

    def replicas(self, service: str) -> list[Child]:
        """Return the processes of one service, oldest first."""
        return [child for child in self.children if child.program.name.startswith(f"{service}-")]

    def client(self) -> redis.Redis:
        """Return a client of Redis."""
        return redis.Redis.from_url(self.url)

    def logs(self) -> list[Path]:
        """Return the log of each process that ever ran."""
        return sorted(self.directory.glob("*-*.log"))

    def start(self, service: str, count: int = 1) -> list[Child]:
        """Start replicas and wait until they are ready. Raises TimeoutError."""
        started = []
        for _ in range(count):
            name = f"{service}-{self._numbers[service]}"
            self._numbers[service] += 1
            listen = demo_gateway.loopback(*free_ports(1))
            command = [sys.executable, "-m", "services.cli.main", service, "--config", str(self._config)]
            program = Program(
                name,
                command,
                {"CAUSEWAY_HTTP__LISTEN": str(listen)},
                BY_NAME[service].drain_seconds(self.settings),
                partial(local_gateway.reports_ready, listen),
                log=self.directory / f"{name}.log",
            )
            started.append(self._child(program))
        with self._lock:
            self._children += started
        for child in started:
            _wait(child.program.is_ready, READY_SECONDS, f"{child.program.name} is not ready")
        return started

    def kill(self, child: Child) -> bool:
        """SIGKILL a process, which is then started again; False where it does not run just now."""
        with self._lock:
            if child.pid is None:
                return False
            self._asked.add(child.pid)
            child.kill()
        return True

    def retire(self, child: Child) -> None:
        """SIGTERM a process and wait for its end; it is not started again."""
        with self._lock:
            self._children.remove(child)
        self._end(child)

    def _end(self, child: Child) -> None:
        with self._lock:
            if child in self._children:
                self._children.remove(child)
            if child.pid is not None:
                self._asked.add(child.pid)
            child.stop()
        deadline = time.monotonic() + child.program.drain_seconds
        while not child.has_ended():
            if time.monotonic() > deadline:
                self.overdue.append(child.program.name)
                child.kill()
            time.sleep(KEEP_SECONDS)

    def _child(self, program: Program) -> Child:
        return Child(program, on_exit=partial(self._note_exit, program.name))

    def _note_exit(self, name: str, pid: int) -> None:
        if pid not in self._asked:
            self.deaths.append(name)

    def _keep(self) -> None:
        while not self._ended.wait(KEEP_SECONDS):
            with self._lock:
                for child in self._children:
                    child.keep(time.monotonic())

    def _answers(self) -> bool:
        with self.client() as client:
            try:
                return bool(client.ping())
            except redis.RedisError:
                return False


def _wait(condition: Callable[[], object], seconds: float, otherwise: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(otherwise)
        time.sleep(KEEP_SECONDS)
