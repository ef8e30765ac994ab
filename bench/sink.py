"""A smart host that takes everything as fast as it can and only counts: STARTTLS, PIPELINING, no queue.

    python -m bench.sink --port 2600 --certificate tls.crt --key tls.key --count count.txt

The number of messages taken so far stands in the file `count`, renewed every twentieth of a second. `--arrivals`
appends "number seconds" of each message to a file before it is counted (number: of its `X-Bench-Number`; seconds: of
the machine's monotonic clock); `--keep` keeps the messages in a folder, by number.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import signal
import ssl
import time
from pathlib import Path
from typing import cast

import uvloop

from bench.messages import NUMBER_FIELD

EHLO = (
    b"250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SIZE 104857600\r\n250-ENHANCEDSTATUSCODES\r\n%s250 SMTPUTF8\r\n"
)
END = b"\r\n.\r\n"
HEADER_BYTES = 8192
_NUMBER = re.compile(b"\r\n%s([0-9A-F]{8})\r\n" % NUMBER_FIELD)


class Watch:
    """What is remembered of the messages, beside their number. needed: how many bytes of each it wants to see."""

    def __init__(self, arrivals: Path | None, keep: Path | None) -> None:
        self._arrivals = arrivals.open("a") if arrivals else None
        self._keep = keep
        self.needed = 0 if not arrivals and not keep else HEADER_BYTES if not keep else 1 << 40

    def note(self, content: bytes) -> None:
        """Remember a message that has just come in. content: as on the wire, after one line end."""
        found = _NUMBER.search(content)
        if found is None:
            return
        if self._arrivals:
            self._arrivals.write(f"{int(found[1], 16)} {time.monotonic()}\n")
        if self._keep:
            (self._keep / f"{int(found[1], 16)}.eml").write_bytes(content[2:].replace(b"\r\n..", b"\r\n.") + b"\r\n")

    def flush(self) -> None:
        """Make the recorded messages readable for other processes."""
        if self._arrivals:
            self._arrivals.flush()


class Sink(asyncio.Protocol):
    """One session. Commands are recognised by their first word."""

    taken = 0

    def __init__(self, context: ssl.SSLContext, watch: Watch) -> None:
        self.context = context
        self.watch = watch
        self.buffer = b""
        self.seen = bytearray()
        self.in_data = False
        self.is_encrypted = False
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        if not self.is_encrypted:
            self.transport.write(b"220 sink ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        replies = []
        while True:
            if self.in_data:
                end = self.buffer.find(END)
                if self.watch.needed > len(self.seen):
                    self.seen += self.buffer[: end if end >= 0 else -4]
                if end < 0:
                    self.buffer = self.buffer[-4:]
                    break
                self.buffer = self.buffer[end + len(END) :]
                self.take()
                replies.append(b"250 2.0.0 taken\r\n")
                continue
            line, newline, rest = self.buffer.partition(b"\r\n")
            if not newline:
                break
            self.buffer = rest
            replies.append(self.answer(line[:4].upper()))
            if replies[-1].startswith(b"220"):
                break
        if self.transport and replies:
            if replies[-1].startswith(b"220"):
                self.transport.pause_reading()  # what comes next is for TLS
            self.transport.write(b"".join(replies))
            if replies[-1].startswith(b"220"):
                asyncio.ensure_future(self.encrypt())  # noqa: RUF006 (lives as long as the session)

    def take(self) -> None:
        """Take the message whose end has come."""
        self.in_data = False
        Sink.taken += 1
        if self.seen:
            self.watch.note(bytes(self.seen))
            self.seen.clear()

    def answer(self, verb: bytes) -> bytes:
        """Return the reply to a command."""
        if verb == b"EHLO":
            return EHLO % (b"" if self.is_encrypted else b"250-STARTTLS\r\n")
        if verb == b"STAR":
            return b"220 2.0.0 go ahead\r\n"
        if verb == b"DATA":
            self.in_data = True
            self.buffer = b"\r\n" + self.buffer
            return b"354 go ahead\r\n"
        if verb == b"QUIT":
            return b"221 2.0.0 bye\r\n"
        return b"250 2.1.0 ok\r\n"

    async def encrypt(self) -> None:
        """Take the session to TLS."""
        assert self.transport
        self.is_encrypted = True
        loop = asyncio.get_running_loop()
        try:
            started = await loop.start_tls(self.transport, self, self.context, server_side=True)
        except (ssl.SSLError, OSError):
            return
        self.transport = started


async def serve(port: int, context: ssl.SSLContext, count: Path, watch: Watch) -> None:
    """Serve until SIGTERM."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    server = await loop.create_server(lambda: Sink(context, watch), "127.0.0.1", port, backlog=1000)
    async with server:
        while not stop.is_set():
            watch.flush()
            waiting = count.with_suffix(".new")
            waiting.write_text(str(Sink.taken))
            waiting.rename(count)
            await asyncio.sleep(0.05)


def main() -> None:
    """Read the options and serve."""
    parser = argparse.ArgumentParser(prog="sink")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--certificate", required=True)
    parser.add_argument("--key", required=True)
    parser.add_argument("--count", type=Path, required=True)
    parser.add_argument("--arrivals", type=Path, help="append the time of each message's arrival to this file")
    parser.add_argument("--keep", type=Path, help="keep the messages in this folder")
    options = parser.parse_args()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(options.certificate, options.key)
    uvloop.run(serve(options.port, context, options.count, Watch(options.arrivals, options.keep)))


if __name__ == "__main__":
    main()
