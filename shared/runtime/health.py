"""What a service tells over HTTP: /livez (its loop moves), /readyz (it can take mail), /metrics (Prometheus).

A service calls `beat()` in its loop and sets `draining` when it stops taking work. Everything else is asked when a
request comes in, in a thread of its own, so a stuck loop cannot hide itself.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from shared.configuration.endpoint import Endpoint
from shared.runtime.scrapes import BoundedServer, Shared

LIVE_SECONDS = 60.0
"""A loop that was not heard of for so long is stuck, unless its work on one message may take longer."""

Probe = Callable[[], str]
"""Returns "" when ready, else the reason in one line. Never raises."""


class Health:
    """The state of one process.

    beat_file: where a child of a group leaves its beats for its parent. live_seconds: the silence that means stuck.
    """

    def __init__(
        self, probe: Probe = lambda: "", beat_file: Path | None = None, live_seconds: float = LIVE_SECONDS
    ) -> None:
        self.draining = False
        self._live_seconds = live_seconds
        self._probe = probe
        self._beat_file = beat_file
        self._beaten_at = time.monotonic()
        self._touched_at = float("-inf")
        self._has_begun = False

    def beat(self) -> None:
        """Say that the work has begun and its loop is alive. Cheap enough for every turn of a loop."""
        now = time.monotonic()
        if self._beat_file and now - self._touched_at >= 1:
            self._beat_file.touch()
            self._touched_at = now
        self._beaten_at = now
        self._has_begun = True

    def has_begun(self) -> bool:
        """Return whether the service is at work: ingress listens, a worker leases."""
        return self._has_begun

    def drain(self) -> None:
        """Say that no more work is taken: not ready from now on, alive still."""
        self.draining = True

    def silent_seconds(self) -> float:
        """Return how long ago the loop was heard of."""
        return time.monotonic() - self._beaten_at

    def live(self) -> str:
        """Return "" while the loop moves, or drains within its own time limit, else why not."""
        silent = self.silent_seconds()
        is_stuck = silent > self._live_seconds and not self.draining
        return f"the loop was not heard of for {silent:.0f} s" if is_stuck else ""

    def ready(self) -> str:
        """Return "" when the service can take mail, else why not."""
        if self.draining:
            return "draining"
        return self.live() or ("" if self.has_begun() else "starting") or self._probe()


class GroupHealth(Health):
    """The health of a parent whose children do the work: alive while each of their beat files is fresh."""

    def __init__(self, beat_files: list[Path], probe: Probe = lambda: "", live_seconds: float = LIVE_SECONDS) -> None:
        super().__init__(probe, live_seconds=live_seconds)
        self._beat_files = beat_files
        self._since = time.time()

    def has_begun(self) -> bool:
        """Return whether every child is at work."""
        return all(file.exists() for file in self._beat_files)

    def silent_seconds(self) -> float:
        """Return how long ago the quietest child was heard of; a child has as long to start."""
        return time.time() - min(_touched_at(file, self._since) for file in self._beat_files)


def _touched_at(file: Path, otherwise: float) -> float:
    try:
        return file.stat().st_mtime
    except OSError:
        return otherwise


class HealthServer:
    """Answers HTTP in a thread from `start` until `close`. `port` is the one bound, also for port 0."""

    def __init__(
        self,
        listen: Endpoint,
        health: Health,
        refresh: Callable[[], None] = lambda: None,
        registry: CollectorRegistry = REGISTRY,
    ) -> None:
        """Bind. `refresh` brings gauges up to date before metrics are made. Raises OSError where the port is taken."""
        metrics = Shared(lambda: _metrics(refresh, registry))

        class Handler(_Handler):
            answers = {  # noqa: RUF012 (one table for one server)
                "/livez": lambda: _verdict(health.live()),
                "/readyz": lambda: _verdict(health.ready()),
                "/metrics": lambda: (200, CONTENT_TYPE_LATEST, metrics.get()),
            }

        self._server = _Server(listen.host, listen.port, Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="http", daemon=True)

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def close(self) -> None:
        """Stop answering and free the port."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()


Answer = tuple[int, str, bytes]


def _verdict(problem: str) -> Answer:
    return (503 if problem else 200), "text/plain; charset=utf-8", (problem or "ok").encode() + b"\n"


def _metrics(refresh: Callable[[], None], registry: CollectorRegistry) -> bytes:
    refresh()
    return generate_latest(registry)


class _Server(BoundedServer):
    def __init__(self, host: str, port: int, handler: type[BaseHTTPRequestHandler]) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), handler)

    def server_bind(self) -> None:
        """Bind without http.server's look-up of this machine's name, which may wait for DNS."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing when a client goes away in the middle."""


class _Handler(BaseHTTPRequestHandler):
    timeout = 10
    answers: dict[str, Callable[[], Answer]]

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def _answer(self, *, with_body: bool) -> None:
        answer = self.answers.get(self.path.partition("?")[0])
        status, kind, body = answer() if answer else (404, "text/plain", b"/livez /readyz /metrics\n")
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Keep probes out of the log."""
