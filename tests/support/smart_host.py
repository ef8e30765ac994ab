"""A real SMTP server in a thread of its own whose replies, refusals, delays and disconnects are set by a test."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType

DROP = "drop"
"""Instead of a reply: close the connection."""
HANG = "hang"
"""Instead of a reply: say nothing until the test ends."""
TAKE_AND_DROP = "take and drop"
"""Instead of the reply to a message: take it, and close the connection."""
TAKE_AND_HANG = "take and hang"
"""Instead of the reply to a message: take it, and say nothing until the test ends."""

DROP_DURING_CONTENT = "drop during content"
"""Instead of the reply to a message: read a little of its content, and close the connection."""

Answer = str | Callable[[str], str]


@dataclass
class Arrived:
    """A message as it came: the commands, and the content after dot-unstuffing."""

    mail: str
    rcpts: list[str]
    content: bytes
    encrypted: bool
    connection: int


@dataclass
class SmartHostServer:
    """A smart host on 127.0.0.1; `with` starts and stops it.

    answers: by verb (CONNECT, EHLO, STARTTLS, MAIL, RCPT, DATA, "." and others) a reply, DROP, HANG, or a function of
    the line. seconds_per_octet: how slowly replies come. doubtful: how many messages were taken without the answer to
    it. after_starttls: sent in the clear behind the 220. after_message: sent unasked, once the client has had
    time to read the answer to a message. Read while it runs: messages, lines (verb by verb, with
    whether it was encrypted), and connections, how many were made.
    """

    extensions: list[str] = field(default_factory=lambda: ["PIPELINING", "8BITMIME", "SIZE 60000000"])
    context: ssl.SSLContext | None = None
    implicit: bool = False
    answers: dict[str, Answer] = field(default_factory=dict)
    seconds_per_octet: float = 0
    doubtful: int = 0
    after_starttls: bytes = b""
    after_message: bytes = b""
    messages: list[Arrived] = field(default_factory=list)
    lines: list[tuple[str, bool]] = field(default_factory=list)
    connections: int = 0
    open_connections: int = 0
    most_open_connections: int = 0
    port: int = 0

    def __enter__(self) -> SmartHostServer:
        started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(started)), daemon=True)
        self._thread.start()
        assert started.wait(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join(10)
        assert not self._thread.is_alive()

    @property
    def clear_lines(self) -> list[str]:
        """The commands that came in the clear."""
        return [line for line, encrypted in self.lines if not encrypted]

    async def _serve(self, started: threading.Event) -> None:
        self._loop, self._stopped = asyncio.get_running_loop(), asyncio.Event()
        tasks: set[asyncio.Task[None]] = set()

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task
            tasks.add(task)
            try:
                await self._talk(reader, writer)
            except (OSError, EOFError, ssl.SSLError, asyncio.CancelledError):
                pass
            finally:
                self.open_connections -= 1
                tasks.discard(task)
                writer.transport.abort()

        context = self.context if self.implicit else None
        server = await asyncio.start_server(accept, "127.0.0.1", self.port, ssl=context, limit=2**26)
        self.port = server.sockets[0].getsockname()[1]
        started.set()
        await self._stopped.wait()
        server.close()
        for task in tuple(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _talk(  # noqa: PLR0915 (one conversation, read from top to bottom)
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.connections += 1
        self.open_connections += 1
        self.most_open_connections = max(self.most_open_connections, self.open_connections)
        number, encrypted, mail, rcpts = self.connections, self.implicit, "", list[str]()

        async def reply(verb: str, line: str, default: str) -> str:
            chosen = self.answers.get(verb, default)
            text = chosen(line) if callable(chosen) else chosen
            if text == DROP:
                raise EOFError
            if text == HANG:
                await reader.read()  # until the client gives up
                raise EOFError
            octets = text.encode() + b"\r\n"
            for start in range(0, len(octets), 1) if self.seconds_per_octet else ():
                writer.write(octets[start : start + 1])
                await asyncio.sleep(self.seconds_per_octet)
            if not self.seconds_per_octet:
                writer.write(octets)
            await writer.drain()
            return text

        await reply("CONNECT", "", "220 smart host")
        while True:
            line = (await reader.readuntil(b"\r\n"))[:-2].decode()
            self.lines.append((line, encrypted))
            verb = line.upper().split(":")[0].split(" ")[0]
            match verb:
                case "EHLO":
                    offered = [*self.extensions, *(["STARTTLS"] if self.context and not encrypted else [])]
                    await reply(verb, line, "\r\n".join(["250-smart host", *(f"250-{e}" for e in offered), "250 HELP"]))
                case "STARTTLS":
                    text = await reply(verb, line, "220 go ahead")
                    if text.startswith("220") and self.after_starttls:
                        writer.write(self.after_starttls)
                    if text.startswith("220") and self.context:
                        await writer.start_tls(self.context)
                        encrypted = True
                case "MAIL":
                    if (await reply(verb, line, "250 2.1.0 ok")).startswith("250"):
                        mail, rcpts = line, []
                case "RCPT":
                    if (await reply(verb, line, "250 2.1.5 ok" if mail else "503 5.5.1 MAIL first")).startswith("250"):
                        rcpts.append(line)
                case "DATA":
                    if not rcpts and verb not in self.answers:
                        await reply("", line, "554 5.5.1 no valid recipients")
                        continue
                    if not (await reply(verb, line, "354 go on")).startswith("354"):
                        continue
                    if self.answers.get(".") == DROP_DURING_CONTENT:
                        await reader.read(1000)
                        return
                    content = await self._content(reader)
                    if (taken := self.answers.get(".")) in (TAKE_AND_DROP, TAKE_AND_HANG):
                        self.messages.append(Arrived(mail, rcpts, content, encrypted, number))
                        self.doubtful += 1
                        await (reader.read() if taken == TAKE_AND_HANG else writer.drain())
                        return
                    if (await reply(".", line, "250 2.0.0 Ok: queued as 4XyZ12")).startswith("250"):
                        self.messages.append(Arrived(mail, rcpts, content, encrypted, number))
                    if self.after_message:
                        await asyncio.sleep(0.1)
                        writer.write(self.after_message)
                    mail, rcpts = "", []
                case "RSET":
                    mail, rcpts = "", []
                    await reply(verb, line, "250 2.0.0 ok")
                case "QUIT":
                    await reply(verb, line, "221 2.0.0 bye")
                    return
                case _:
                    await reply(verb, line, "250 2.0.0 ok")

    async def _content(self, reader: asyncio.StreamReader) -> bytes:
        """Read to the final dot, strictly: only CRLF ends a line, and a bare CR or LF stays in the content."""
        kept: list[bytes] = []
        while (line := await reader.readuntil(b"\r\n")) != b".\r\n":
            kept.append(line[1:] if line.startswith(b".") else line)
        return b"".join(kept)
