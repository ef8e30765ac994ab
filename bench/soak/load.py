"""Mail clients that insist: at a given rate, over sessions that reconnect, each message until it has its 250."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from bench.messages import numbered
from bench.soak.ledger import SENDER_PREFIX, Ledger

SOURCE = "127.0.1.1"
"""The address of Domino."""
MEETINGS = 1000
"""The number of meetings, which are reused: their memories are kept for months, and would look like a leak."""
REPLY_SECONDS = 60.0
AGAIN_SECONDS = 0.1
PATIENCE_SECONDS = 120.0
"""How long after the end of the load a message that is not acknowledged yet is still sent again."""


class NotNowError(Exception):
    """The gateway asked to come again: 4xx."""


class RejectedError(Exception):
    """The gateway refused the message for good: 5xx."""


class Connection:
    """One SMTP session."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def open(cls, port: int) -> Connection:
        """Connect and greet."""
        opened = cls(*await asyncio.open_connection("127.0.0.1", port, local_addr=(SOURCE, 0)))
        try:
            await opened.expect(220)
            opened.send(b"EHLO soak.example.com\r\n")
            await opened.expect(250)
        except BaseException:
            opened.close()
            raise
        return opened

    def send(self, *octets: bytes) -> None:
        """Send."""
        self._writer.writelines(octets)

    async def expect(self, *codes: int) -> None:
        """Read one reply for each code. Raises NotNowError, RejectedError, EOFError for anything else."""
        for code in codes:
            while (line := await self._reader.readuntil(b"\r\n"))[3:4] == b"-":
                pass
            if not line.startswith(b"%d" % code):
                raise (RejectedError if line.startswith(b"5") else NotNowError)(line.decode().strip())

    def close(self) -> None:
        """Hang up."""
        self._writer.transport.abort()


class Load:
    """Sends `contents` in turn from `run` until `stop`, or until `total` messages have begun.

    rate: messages a second in all, None for as many as are taken. fates: see `ledger.FATES`.
    """

    def __init__(
        self,
        port: int,
        contents: Sequence[bytes],
        ledger: Ledger,
        *,
        rate: float | None,
        sessions: int,
        fates: tuple[str, ...],
        total: int | None = None,
    ) -> None:
        self._port, self._contents, self._ledger = port, contents, ledger
        self._rate, self._sessions, self._fates, self._total = rate, sessions, fates, total
        self._due_count = 0
        self._stopped = asyncio.Event()
        self._give_up_at = float("inf")

    async def run(self) -> None:
        """Send; return when each started message has its reply, or its client has given up."""
        self._began = asyncio.get_running_loop().time()
        await asyncio.gather(*(self._session() for _ in range(self._sessions)))

    def stop(self) -> None:
        """Begin no more messages."""
        self._give_up_at = asyncio.get_running_loop().time() + PATIENCE_SECONDS
        self._stopped.set()

    async def _is_due(self) -> bool:
        """Wait until the next message is due; False once there is none."""
        self._due_count += 1
        if self._total is not None and self._due_count > self._total:
            return False
        if self._rate:
            due = self._began + self._due_count / self._rate
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopped.wait(), max(0.0, due - asyncio.get_running_loop().time()))
        return not self._stopped.is_set()

    async def _session(self) -> None:
        loop = asyncio.get_running_loop()
        connection: Connection | None = None
        while await self._is_due():
            tag = self._ledger.begin(self._fates)
            while loop.time() < self._give_up_at:
                try:
                    async with asyncio.timeout(REPLY_SECONDS):
                        connection = connection or await Connection.open(self._port)
                        await self._send(connection, tag)
                    self._ledger.acknowledged[tag] = loop.time()
                    break
                except RejectedError as error:
                    self._ledger.rejected[tag] = str(error)
                    break
                except (NotNowError, OSError, EOFError) as error:
                    cause = str(error).partition(" ")[0] if isinstance(error, NotNowError) else type(error).__name__
                    self._ledger.interruptions[cause] += 1
                    if connection:
                        connection.close()
                    connection = None
                    await asyncio.sleep(AGAIN_SECONDS)
        if connection:
            connection.send(b"QUIT\r\n")
            connection.close()

    async def _send(self, connection: Connection, tag: str) -> None:
        fate, _, number = tag.partition(".")
        sender = "" if fate == "parked" else f"{SENDER_PREFIX}{tag}@notes.example.com"
        connection.send(f"MAIL FROM:<{sender}>\r\nRCPT TO:<{tag}@exchange.example.com>\r\nDATA\r\n".encode())
        await connection.expect(250, 250, 354)
        self._ledger.sent[tag] += 1
        content = self._contents[int(number) % len(self._contents)]
        connection.send(numbered(content, int(number) % MEETINGS), b".\r\n")
        await connection.expect(250)
