"""A redis-server, or a Sentinel, of a test's own on a port of loopback, to be killed, paused and started again."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import redis

from services.demo.ports import free_ports
from shared.operations import embedded_redis
from shared.operations.tether import tethered
from tests.support.processes import eventually

Option = str | int


class RedisServer:
    """A durable Redis on 127.0.0.1:`port`; `with` starts and ends it. What is in `directory` outlives it."""

    def __init__(self, directory: Path, **options: Option) -> None:
        """`options`: of redis.conf, with _ for -."""
        directory.mkdir()
        self.directory = directory
        self.options = options
        (self.port,) = free_ports(1)
        self.client = redis.Redis(port=self.port, socket_timeout=10)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> RedisServer:
        if self.has_ended():
            self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()
        if not self.has_ended():
            self.resume()
            self.kill()

    @property
    def url(self) -> str:
        """Its address."""
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def pid(self) -> int:
        """The process that was started last."""
        assert self._process
        return self._process.pid

    def start(self, largest_file_bytes: int = resource.RLIM_INFINITY) -> None:
        """Start it, and wait until it answers, or has ended. largest_file_bytes: as if its disk had no more room."""
        with (self.directory / "redis.log").open("ab") as log:
            self._process = subprocess.Popen(
                tethered(self._command()),
                stdout=log,
                stderr=log,
                restore_signals=False,  # SIGXFSZ stays ignored: a write beyond the limit fails, as on a full disk
            )
        self.limit_files(largest_file_bytes)
        eventually(lambda: self.answers() or self.has_ended())

    def limit_files(self, largest_bytes: int) -> None:
        """Let it write no file beyond so many bytes from now on."""
        resource.prlimit(self.pid, resource.RLIMIT_FSIZE, (largest_bytes, resource.RLIM_INFINITY))

    def kill(self) -> None:
        """End it with SIGKILL, and its child that rewrites the file, which would outlive it."""
        assert self._process
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        self._process.kill()
        self._process.wait(10)
        for child in children:
            with suppress(ProcessLookupError):
                os.kill(int(child), signal.SIGKILL)

    def has_ended(self) -> bool:
        """Whether it runs no more."""
        return self._process is None or self._process.poll() is not None

    def pause(self) -> None:
        """Pause it with SIGSTOP: connections stay open without answers."""
        assert self._process
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        assert self._process
        self._process.send_signal(signal.SIGCONT)

    def answers(self) -> bool:
        """Whether it answers, its file read."""
        try:
            return bool(self.client.ping())
        except redis.RedisError:
            return False

    def largest_file_bytes(self) -> int:
        """Return the size of the largest of its files."""
        return max(file.stat().st_size for file in self.directory.rglob("*") if file.is_file())

    def _command(self) -> list[str]:
        command = embedded_redis.command(embedded_redis.find_redis_server(), self.directory, Path("redis.sock"))
        options = {"port": self.port, "bind": "127.0.0.1", **self.options}
        for name, value in options.items():
            command += [f"--{name.replace('_', '-')}", *str(value).split(" ")]
        return command


class Sentinel(RedisServer):
    """The same program as Sentinel, watching the primary `of` the service "causeway" together with two others."""

    def __init__(self, directory: Path, of: RedisServer) -> None:
        super().__init__(directory)
        self._file = directory / "sentinel.conf"
        self._file.write_text(
            f"port {self.port}\nbind 127.0.0.1\ndir {directory}\nsentinel monitor causeway 127.0.0.1 {of.port} 2\n"
            "sentinel down-after-milliseconds causeway 1000\nsentinel failover-timeout causeway 10000\n"
        )

    def _command(self) -> list[str]:
        return [str(embedded_redis.find_redis_server()), str(self._file), "--sentinel"]
