"""A smart host that knows what each message is to meet by its recipient (see `ledger`), and notes what it has taken."""

from __future__ import annotations

import asyncio
import ssl
from typing import cast

from bench.sink import EHLO, END
from bench.soak.ledger import Ledger


class Sink(asyncio.Protocol):
    """One session. Content is not kept; the recipients of a message are noted before its 250 goes out."""

    def __init__(self, context: ssl.SSLContext, ledger: Ledger, deferred: set[str]) -> None:
        """Begin a session. deferred: the recipients that were deferred, shared by all sessions."""
        self._context, self._ledger, self._deferred = context, ledger, deferred
        self._buffer = bytearray()
        self._recipients: list[str] = []
        self._in_data = False
        self._is_encrypted = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        if not self._is_encrypted:
            self._transport.write(b"220 sink ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        assert self._transport
        self._buffer += data
        replies: list[bytes] = []
        while (reply := self._reply()) is not None:
            replies.append(reply)
            if reply.startswith(b"220"):
                self._transport.pause_reading()  # what comes next is for TLS
                break
        if replies:
            self._transport.write(b"".join(replies))
            if replies[-1].startswith(b"220"):
                asyncio.ensure_future(self._encrypt())  # noqa: RUF006 (lives as long as the session)

    def _reply(self) -> bytes | None:
        """Return the reply to what has come, None where it is not whole yet."""
        end = self._buffer.find(END if self._in_data else b"\r\n")
        if self._in_data:
            if end < 0:
                del self._buffer[:-4]
                return None
            del self._buffer[: end + len(END)]
            self._in_data = False
            self._ledger.arrive(self._recipients, encrypted=self._is_encrypted)
            return b"250 2.0.0 taken\r\n"
        if end < 0:
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return self._answer(line)

    def _answer(self, line: bytes) -> bytes:
        match line[:4].upper():
            case b"EHLO":
                return EHLO % (b"" if self._is_encrypted else b"250-STARTTLS\r\n")
            case b"STAR":
                return b"220 2.0.0 go ahead\r\n"
            case b"MAIL" | b"RSET":
                self._recipients = []
            case b"RCPT":
                return self._rcpt(line.partition(b"<")[2].partition(b"@")[0].decode())
            case b"DATA":
                if not self._recipients:
                    return b"554 5.5.1 no valid recipients\r\n"
                self._in_data = True
                self._buffer[:0] = b"\r\n"
                return b"354 go ahead\r\n"
            case b"QUIT":
                return b"221 2.0.0 bye\r\n"
        return b"250 2.1.0 ok\r\n"

    def _rcpt(self, name: str) -> bytes:
        if name.startswith(("refused.", "parked.")):
            return b"550 5.1.1 no such user\r\n"
        if name.startswith("later.") and name not in self._deferred:
            self._deferred.add(name)
            return b"451 4.2.1 come again\r\n"
        self._recipients.append(name)
        return b"250 2.1.5 ok\r\n"

    async def _encrypt(self) -> None:
        assert self._transport
        self._is_encrypted = True
        loop = asyncio.get_running_loop()
        try:
            started = await loop.start_tls(self._transport, self, self._context, server_side=True)
        except OSError:
            return
        self._transport = started
