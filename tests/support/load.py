"""A bounded load of small messages, each with a tag of its own, sent by clients that insist on their 250."""

from __future__ import annotations

import smtplib
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from email import message_from_bytes
from pathlib import Path

BODY = "Kind regards\r\n" * 300


@dataclass
class Load:
    """`total` messages over `clients` connections to 127.0.0.1:port, from the address that stands for Domino.

    It ends before `total` once `enough` is set. pause_seconds: of each client between two messages.
    """

    port: int
    total: int
    clients: int = 8
    source: str = "127.0.1.1"
    deadline_seconds: float = 120
    pause_seconds: float = 0
    enough: threading.Event = field(default_factory=threading.Event)
    acknowledged: set[str] = field(default_factory=set)
    attempts: Counter[str] = field(default_factory=Counter)

    def run(self) -> None:
        """Send everything; returns when each message is acknowledged, or at the deadline."""
        self._tags = iter([f"load-{number:06d}" for number in range(self.total)])
        self._lock = threading.Lock()
        self._end = time.monotonic() + self.deadline_seconds
        threads = [threading.Thread(target=self._client) for _ in range(self.clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def give_up(self) -> None:
        """Send no more, also of what is not acknowledged yet."""
        self.enough.set()
        self._end = 0.0

    def send_one(self, tag: str) -> None:
        """Send one message more, once. Raises what smtplib raises where it is not acknowledged."""
        with self._connect() as connection:
            self._send(connection, tag)
        self.acknowledged.add(tag)

    def _client(self) -> None:
        connection: smtplib.SMTP | None = None
        while (tag := self._next()) is not None:
            while time.monotonic() < self._end:
                try:
                    connection = connection or self._connect()
                    with self._lock:
                        self.attempts[tag] += 1
                    self._send(connection, tag)
                    with self._lock:
                        self.acknowledged.add(tag)
                    self.enough.wait(self.pause_seconds)
                    break
                except (smtplib.SMTPException, OSError):
                    if connection:
                        connection.close()
                    connection = None
                    time.sleep(0.05)
        if connection:
            connection.close()

    def _next(self) -> str | None:
        with self._lock:
            return None if self.enough.is_set() else next(self._tags, None)

    def _connect(self) -> smtplib.SMTP:
        return smtplib.SMTP("127.0.0.1", self.port, source_address=(self.source, 0), timeout=20)

    def _send(self, connection: smtplib.SMTP, tag: str) -> None:
        text = f"From: anna.schmidt@notes.example.com\r\nTo: john.doe@example.com\r\nSubject: {tag}\r\n\r\n{BODY}"
        connection.sendmail("anna.schmidt@notes.example.com", ["john.doe@example.com"], text)


def caught(folder: Path) -> Counter[str]:
    """Return how often a catcher got each tag."""
    found: Counter[str] = Counter()
    for envelope in folder.glob("*.json"):
        found[str(message_from_bytes(envelope.with_suffix(".eml").read_bytes())["Subject"])] += 1
    return found
