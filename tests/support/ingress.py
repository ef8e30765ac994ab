"""A running ingress in a thread of its own, and a client that writes and reads given bytes."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

import redis
import uvloop

from services.ingress.app import serving
from services.ingress.server import Server
from shared.configuration.redis import RedisSettings
from shared.configuration.settings import Settings
from shared.errors import CausewayError
from shared.mail.envelope import Envelope
from shared.spool import keys

SENDER, RECIPIENT = "a@notes.example.com", "b@exchange.example.com"
SYSTEMS: list[dict[str, Any]] = [
    {
        "name": "notes",
        "kind": "domino",
        "networks": ["127.0.0.0/8"],
        "domains": ["notes.example.com"],
        "notes_domains": ["ACME"],
        "public_domain": "example.com",
        "default_route": "exchange",
    },
    {
        "name": "exchange",
        "kind": "exchange",
        "networks": ["10.2.0.0/16", "2001:db8::/32"],
        "client_names": ["*.exchange.example.com"],
        "domains": ["exchange.example.com"],
        "public_domain": "example.com",
    },
]
"""Loopback speaks for `notes`, which may send anywhere; `exchange` has no default route."""


def settings(redis_settings: RedisSettings, systems: list[dict[str, Any]] | None = None, **ingress: Any) -> Settings:
    """Return the settings of an ingress on one port of loopback."""
    return Settings.model_validate(
        {
            "hostname": "gateway.example.com",
            "redis": redis_settings,
            "systems": SYSTEMS if systems is None else systems,
            "ingress": {"listen": ["127.0.0.1:0"], **ingress},
        }
    )


class Running:
    """An ingress in a thread, on uvloop as in production, until `stop`."""

    def __init__(self, given: Settings) -> None:
        self._started: Future[list[tuple[str, int]]] = Future()
        self._thread = threading.Thread(target=lambda: uvloop.run(self._serve(given)), daemon=True)
        self._thread.start()
        self.addresses = self._started.result(10)

    async def _serve(self, given: Settings) -> None:
        self._loop, self._stopped = asyncio.get_running_loop(), asyncio.Event()
        try:
            async with serving(given) as (server, _):
                self._server: Server = server
                self._started.set_result(server.addresses)
                await self._stopped.wait()
        except CausewayError as error:
            self._started.set_exception(error)

    @property
    def port(self) -> int:
        """The first port that is listened on."""
        return self.addresses[0][1]

    def tell_to_stop(self) -> None:
        """Begin to drain, and return at once."""
        self._loop.call_soon_threadsafe(self._stopped.set)

    def stop(self, seconds: float = 15) -> None:
        """Drain, and wait for the end."""
        if self._thread.is_alive():
            self.tell_to_stop()
        self.join(seconds)

    def join(self, seconds: float = 15) -> None:
        """Wait for the end."""
        self._thread.join(seconds)
        assert not self._thread.is_alive(), "ingress did not stop"


@contextmanager
def running(given: Settings) -> Iterator[Running]:
    """Run an ingress inside the block."""
    ingress = Running(given)
    try:
        yield ingress
    finally:
        ingress.stop()


class RawClient:
    """A client socket that sends exactly the given bytes. A reply is returned as text, without its last CRLF."""

    def __init__(self, port: int, prelude: bytes = b"", source: str = "127.0.0.1") -> None:
        self.socket: socket.socket = socket.create_connection(
            ("127.0.0.1", port), timeout=10, source_address=(source, 0)
        )
        self._buffer = b""
        if prelude:
            self.send(prelude)

    def __enter__(self) -> RawClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def reply(self) -> str:
        """Return the next reply, "" where the server has closed."""
        lines: list[str] = []
        while True:
            while b"\r\n" not in self._buffer:
                try:
                    data = self.socket.recv(65536)
                except (ConnectionResetError, ssl.SSLEOFError):
                    data = b""
                if not data:
                    return ""
                self._buffer += data
            line, _, self._buffer = self._buffer.partition(b"\r\n")
            lines.append(line.decode())
            if lines[-1][3:4] != "-":
                return "\r\n".join(lines)

    def ask(self, command: str | bytes) -> str:
        """Send a command and return its reply."""
        self.send((command.encode() if isinstance(command, str) else command) + b"\r\n")
        return self.reply()

    def greet(self, name: str = "client.example.com") -> RawClient:
        """Read the banner and say EHLO."""
        assert self.reply().startswith("220 ")
        assert self.ask(f"EHLO {name}").startswith("250")
        return self

    def begin(self, *recipients: str, sender: str = SENDER) -> RawClient:
        """Send MAIL and RCPT."""
        assert self.ask(f"MAIL FROM:<{sender}>") == "250 2.1.0 Sender OK"
        for recipient in recipients or (RECIPIENT,):
            assert self.ask(f"RCPT TO:<{recipient}>") == "250 2.1.5 Recipient OK"
        return self

    def open_data(self) -> RawClient:
        """Send DATA."""
        assert self.ask("DATA").startswith("354 ")
        return self

    def start_tls(self, context: ssl.SSLContext, name: str = "localhost") -> RawClient:
        """Shake hands."""
        self.socket = context.wrap_socket(self.socket, server_hostname=name)
        return self

    @property
    def is_closed(self) -> bool:
        """Whether the server has closed, everything it said having been read."""
        return self.reply() == ""


def spooled(client: redis.Redis) -> list[tuple[Envelope, bytes]]:
    """Return the messages that were accepted, oldest first, each without the Received field of this gateway."""
    raw: Any = client
    found = []
    for message_id in sorted(raw.smembers(keys.live(keys.TRANSFORM))):
        content = raw.get(keys.content(message_id.decode()))
        assert content.startswith(b"Received: ")
        end = content.index(b" +0000\r\n") + len(b" +0000\r\n")
        found.append((Envelope.from_json(raw.hget(keys.message(message_id.decode()), "envelope")), content[end:]))
    return found
