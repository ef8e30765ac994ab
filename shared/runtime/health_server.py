"""The HTTP server of a service: /livez (its loop runs), /readyz (it can take mail), /metrics (Prometheus)."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any

from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from shared.configuration.endpoint import Endpoint
from shared.configuration.settings import Settings
from shared.errors import ConfigurationError
from shared.runtime.health import Health
from shared.runtime.scrapes import BoundedServer, Shared


@contextmanager
def answering_http(
    settings: Settings, health: Health, refresh: Callable[[], None], registry: CollectorRegistry
) -> Iterator[None]:
    """Answer HTTP inside the block, where `http.listen` is set. Raises ConfigurationError for an unusable address."""
    if settings.http.listen is None:
        yield
        return
    try:
        server = HealthServer(settings.http.listen, health, refresh, registry)
    except OSError as error:
        raise ConfigurationError(
            f"http.listen: cannot listen on {settings.http.listen} ({error.strerror}): choose another address or port"
        ) from None
    server.start()
    try:
        yield
    finally:
        server.close()


class HealthServer:
    """Answers HTTP in a thread from `start` until `close`. `port` is the bound one, also for port 0."""

    def __init__(
        self,
        listen: Endpoint,
        health: Health,
        refresh: Callable[[], None] = lambda: None,
        registry: CollectorRegistry = REGISTRY,
    ) -> None:
        """Bind. `refresh` brings gauges up to date before a scrape. Raises OSError where the address is in use."""
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
        """The port it listens on."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Start to answer."""
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
        """Ignore a client that disconnects in the middle."""


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
