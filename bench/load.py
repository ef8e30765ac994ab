"""A load generator: replays prepared messages over a number of sessions, each message with a number of its own.

Sessions come from the addresses of their messages' systems, shared out as the messages are. Without `--rate` each sends
as fast as its server answers; with it, messages are due at regular times whatever the server does (an open loop), and
one that finds no session free is late.

    python -m bench.load --port 2525 --messages FOLDER --total 3000 --sessions 20
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import uvloop

from bench.figures import percentile
from bench.messages import NUMBER


class Session(asyncio.Protocol):
    """One client session; `replies` yields the code of each complete reply, -1 when the connection is lost."""

    def __init__(self) -> None:
        self.buffer = b""
        self.replies: asyncio.Queue[int] = asyncio.Queue()

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        *lines, self.buffer = self.buffer.split(b"\r\n")
        for line in lines:
            if line[3:4] != b"-":
                self.replies.put_nowait(int(line[:3]))

    def connection_lost(self, exc: Exception | None) -> None:
        self.replies.put_nowait(-1)


async def connect(port: int, client: str) -> tuple[asyncio.Transport, Session]:
    """Return a session from an address, after its EHLO."""
    loop = asyncio.get_running_loop()
    transport, session = await loop.create_connection(Session, "127.0.0.1", port, local_addr=(client, 0))
    await expect(session, 220)
    transport.write(b"EHLO load.example.com\r\n")
    await expect(session, 250)
    return transport, session


async def expect(session: Session, *codes: int) -> None:
    """Take one reply for each code. Raises RuntimeError for another."""
    for code in codes:
        got = await session.replies.get()
        if got != code:
            raise RuntimeError(f"the server answered {got}, not {code}")


@dataclass(frozen=True, slots=True)
class Prepared:
    """A message to replay; parts: its content, to be joined by its number."""

    client: str
    sender: bytes
    recipient: bytes
    parts: tuple[bytes, ...]

    def pieces(self, number: int) -> list[bytes]:
        """Return the content with its number and the final dot, in pieces, so that nothing large is copied."""
        name = b"%08X" % number
        joined = [piece for part in self.parts for piece in (name, part)][1:]
        return [*joined, b".\r\n"]


@dataclass(frozen=True, slots=True)
class Sent:
    """When a message was due, sent and accepted, in monotonic seconds."""

    number: int
    due: float
    began: float
    accepted: float


def prepare(folder: Path) -> list[Prepared]:
    """Read a folder that `bench.messages.write` wrote."""
    return [
        Prepared(
            entry["client"],
            entry["sender"].encode(),
            entry["recipient"].encode(),
            tuple((folder / entry["file"]).read_bytes().replace(b"\r\n.", b"\r\n..").split(NUMBER)),
        )
        for entry in json.loads((folder / "index.json").read_text())
    ]


def shared_out(clients: Sequence[str], sessions: int) -> dict[str, int]:
    """Return how many of the sessions come from each client's address: as the messages are, and at least one."""
    counts = Counter(clients)
    shares = {client: max(1, round(sessions * count / len(clients))) for client, count in counts.items()}
    most = max(shares, key=shares.__getitem__)
    shares[most] = max(1, shares[most] + sessions - sum(shares.values()))
    return shares


@dataclass(frozen=True, slots=True)
class Run:
    """What all sessions of a run share. rate: messages a second, 0 for as fast as can be; first: the first number."""

    port: int
    rate: float
    first: int
    began: float
    sent: list[Sent]

    async def session(self, client: str, work: Iterator[tuple[int, Prepared]]) -> None:
        """Send messages with their positions until the work is done, over one connection."""
        transport, session = await connect(self.port, client)
        for position, message in work:
            due = self.began + position / self.rate if self.rate else time.monotonic()
            if (early := due - time.monotonic()) > 0:
                await asyncio.sleep(early)
            number, began = self.first + position, time.monotonic()
            transport.write(b"MAIL FROM:<%s>\r\nRCPT TO:<%s>\r\nDATA\r\n" % (message.sender, message.recipient))
            await expect(session, 250, 250, 354)
            transport.writelines(message.pieces(number))
            await expect(session, 250)
            self.sent.append(Sent(number, due, began, time.monotonic()))
        transport.write(b"QUIT\r\n")
        await expect(session, 221)
        transport.close()


async def run(options: argparse.Namespace) -> dict[str, float]:
    """Send everything; return the seconds it took until the last 250, how long each took, and our processor time."""
    prepared = prepare(options.messages)
    positions = [(number, prepared[number % len(prepared)]) for number in range(options.total)]
    shares = shared_out([message.client for _, message in positions], options.sessions)
    work = {client: iter([position for position in positions if position[1].client == client]) for client in shares}
    running = Run(options.port, options.rate, options.first, time.monotonic(), [])
    cpu_before = time.process_time()
    await asyncio.gather(
        *(running.session(client, work[client]) for client, count in shares.items() for _ in range(count))
    )
    if options.sent:
        options.sent.write_text(
            json.dumps([(message.number, message.due, message.accepted) for message in running.sent])
        )
    latencies = [message.accepted - message.began for message in running.sent]
    return {
        "seconds": time.monotonic() - running.began,
        "accept_p50": percentile(latencies, 0.5),
        "accept_p99": percentile(latencies, 0.99),
        "cpu_seconds": time.process_time() - cpu_before,
    }


def main() -> None:
    """Read the options, send, and print what it took as JSON."""
    parser = argparse.ArgumentParser(prog="load")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--messages", type=Path, required=True, help="folder with index.json and the contents")
    parser.add_argument("--total", type=int, required=True)
    parser.add_argument("--sessions", type=int, default=20)
    parser.add_argument("--rate", type=float, default=0.0, help="messages a second; 0: as fast as the server answers")
    parser.add_argument("--first", type=int, default=0, help="the number of the first message")
    parser.add_argument("--sent", type=Path, help="write when each message was due and accepted to this file")
    print(json.dumps(uvloop.run(run(parser.parse_args()))))


if __name__ == "__main__":
    main()
