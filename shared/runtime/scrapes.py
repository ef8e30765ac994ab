"""Keeps what is asked over HTTP from taking the threads and the time of the mail."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http.server import ThreadingHTTPServer
from typing import Any

MAX_CONNECTIONS = 16
PATIENCE_SECONDS = 2.0
SHARE = 0.1
CREDIT_SECONDS = 0.5
"""Of the time, at most, goes into making what is asked for; so much may go at once."""


class BoundedServer(ThreadingHTTPServer):
    """Holds a bounded number of connections, a thread each: a new one takes the place of the oldest.

    So idle clients do not block clients that send their request at once, as probes do.
    """

    daemon_threads = True

    def __init__(self, *arguments: Any) -> None:
        self._connections: dict[socket.socket, None] = {}  # those that may be broken off, the oldest first
        self._open = 0
        self._changed = threading.Condition()
        super().__init__(*arguments)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection, once the thread of the one that gives way to it has ended; else close it."""
        with self._changed:
            if len(self._connections) >= MAX_CONNECTIONS:
                oldest = next(iter(self._connections))
                del self._connections[oldest]
                with suppress(OSError):
                    oldest.shutdown(socket.SHUT_RDWR)  # its thread reads the end
            has_room = self._changed.wait_for(lambda: self._open < 2 * MAX_CONNECTIONS, PATIENCE_SECONDS)
            if has_room:
                self._connections[request] = None
            self._open += 1
        if has_room:
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection and forget it."""
        super().shutdown_request(request)
        with self._changed:
            self._connections.pop(request, None)
            self._open -= 1
            self._changed.notify()


class Shared:
    """A value that is expensive to compute and often requested: computed for each request as long as the cost allows.

    Its price is at most `SHARE` of the time, with `CREDIT_SECONDS` in hand; beyond that the last one stands. clock: in
    seconds.
    """

    def __init__(self, make: Callable[[], bytes], clock: Callable[[], float] = time.monotonic) -> None:
        self._make = make
        self._clock = clock
        self._lock = threading.Lock()
        self._made = b""
        self._credit = CREDIT_SECONDS
        self._at = clock()

    def get(self) -> bytes:
        """Return it, made anew where its price allows."""
        with self._lock:
            began = self._clock()
            self._credit = min(self._credit + (began - self._at) * SHARE, CREDIT_SECONDS)
            self._at = began
            if self._credit > 0 or not self._made:
                self._made = self._make()
                self._credit -= self._clock() - began
            return self._made
