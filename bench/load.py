"""A load generator: replays prepared messages over a number of sessions, each as fast as its server answers."""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path

import uvloop


class Session(asyncio.Protocol):
    """One client session; `replies` yields the code of each complete reply."""

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


async def expect(session: Session, *codes: int) -> None:
    """Take one reply for each code. Raises RuntimeError for another."""
    for code in codes:
        got = await session.replies.get()
        if got != code:
            raise RuntimeError(f"the server answered {got}, not {code}")


async def run_session(
    port: int, source: str, work: Iterator[tuple[bytes, bytes, bytes]], latencies: list[float]
) -> None:
    """Send messages until the work is done, over one connection."""
    loop = asyncio.get_running_loop()
    transport, session = await loop.create_connection(Session, "127.0.0.1", port, local_addr=(source, 0))
    await expect(session, 220)
    transport.write(b"EHLO load.example.com\r\n")
    await expect(session, 250)
    for sender, recipient, content in work:
        began = time.perf_counter()
        transport.write(b"MAIL FROM:<%s>\r\nRCPT TO:<%s>\r\nDATA\r\n" % (sender, recipient))
        await expect(session, 250, 250, 354)
        transport.writelines((content, b".\r\n"))
        await expect(session, 250)
        latencies.append(time.perf_counter() - began)
    transport.write(b"QUIT\r\n")
    await expect(session, 221)
    transport.close()


async def run(options: argparse.Namespace) -> dict[str, float]:
    """Send everything; return the seconds it took until the last 250."""
    index = json.loads((options.messages / "index.json").read_text())
    prepared = [
        (one["sender"].encode(), one["recipient"].encode(), (options.messages / one["file"]).read_bytes())
        for one in index
    ]
    work = iter([prepared[number % len(prepared)] for number in range(options.total)])
    latencies: list[float] = []
    began = time.perf_counter()
    await asyncio.gather(*(run_session(options.port, options.source, work, latencies) for _ in range(options.sessions)))
    latencies.sort()
    return {
        "seconds": time.perf_counter() - began,
        "accept_p50": latencies[len(latencies) // 2],
        "accept_p99": latencies[len(latencies) * 99 // 100],
    }


def main() -> None:
    """Read the options, send, and print what it took as JSON."""
    parser = argparse.ArgumentParser(prog="load")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--messages", type=Path, required=True, help="folder with index.json and the contents")
    parser.add_argument("--total", type=int, required=True)
    parser.add_argument("--sessions", type=int, default=20)
    parser.add_argument("--source", default="127.0.1.1", help="the address to come from")
    print(json.dumps(uvloop.run(run(parser.parse_args()))))


if __name__ == "__main__":
    main()
