"""A port of loopback where connections are neither taken nor refused, as behind a firewall that says nothing."""

from __future__ import annotations

import contextlib
import socket


class Unreachable:
    """A port of 127.0.0.1 on which connections are never accepted, inside a `with` block.

    A listener whose backlog is full: Linux then drops the first packet of every further connection.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self._waiting: list[socket.socket] = []

    def __enter__(self) -> Unreachable:
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(("127.0.0.1", self.port))
        self._listener.listen(0)
        while self._connects():
            pass
        return self

    def _connects(self) -> bool:
        """Take a place in the backlog; return whether there was one."""
        client = socket.socket()
        self._waiting.append(client)
        client.settimeout(0.2)
        with contextlib.suppress(TimeoutError):
            client.connect(("127.0.0.1", self.port))
            return True
        return False

    def __exit__(self, *_: object) -> None:
        for one in (*self._waiting, self._listener):
            one.close()
