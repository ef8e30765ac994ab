"""A TLS handshake as a server, in which a failure is answered with an alert and explained.

asyncio and uvloop close a connection whose handshake fails without sending the alert that OpenSSL has written, so the
client sees a bare close.
"""

from __future__ import annotations

import os
import ssl
import struct
from contextlib import suppress
from typing import Any

from shared.operations.tls_errors import explain_server

_VERSIONS = {0x0300: "SSLv3", 0x0301: "TLSv1", 0x0302: "TLSv1.1", 0x0303: "TLSv1.2"}
_HELLO_BYTES = 44  # up to the length of the session id


class Handshake(ssl.SSLContext):
    """A context for one handshake on one connection, made of the one in force. descriptor: of the connection."""

    def __new__(cls, _in_force: ssl.SSLContext, _descriptor: int) -> Handshake:
        """Return a context for servers."""
        return super().__new__(cls, ssl.PROTOCOL_TLS_SERVER)

    def __init__(self, in_force: ssl.SSLContext, descriptor: int) -> None:
        self._in_force = in_force
        self._descriptor = descriptor

    def wrap_bio(self, incoming: Any, outgoing: Any, *_: Any, **__: Any) -> Any:
        """Return a server's end between two memory BIOs."""
        tls = self._in_force.wrap_bio(incoming, outgoing, server_side=True)
        return _Answering(tls, incoming, outgoing, self._descriptor)


class _Answering:
    """An SSLObject that writes its alert to the connection itself."""

    def __init__(self, tls: ssl.SSLObject, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, descriptor: int) -> None:
        self._tls = tls
        self._incoming, self._outgoing, self._descriptor = incoming, outgoing, descriptor
        self._offer: str | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tls, name)

    def do_handshake(self) -> None:
        if self._offer is None and self._incoming.pending:
            received = self._incoming.read()
            self._incoming.write(received)
            self._offer = client_offer(received)
        try:
            self._tls.do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError as error:
            if alert := self._outgoing.read():
                with suppress(OSError):  # the client has gone
                    os.write(self._descriptor, alert)
            raise explain_server(error, self._offer) from error


def client_offer(received: bytes) -> str | None:
    """Return the highest version and the ciphers that a ClientHello offers, as text; None for anything else.

    received: the first bytes of the client, perhaps only a part of it (RFC 8446 section 4.1.2).
    """
    if len(received) < _HELLO_BYTES or received[0] != 22 or received[5] != 1:
        return None
    version, session = int.from_bytes(received[9:11], "big"), received[43]
    start = _HELLO_BYTES + session
    if len(received) < start + 2:
        return None
    length = int.from_bytes(received[start : start + 2], "big")
    codes = received[start + 2 : start + 2 + length // 2 * 2]
    numbers = struct.unpack(f">{len(codes) // 2}H", codes[: len(codes) // 2 * 2])
    names = _names()
    ciphers = [names[number] for number in numbers if number in names]
    return f"{_VERSIONS.get(version, 'an unknown version')}, {' '.join(ciphers) or 'no cipher that OpenSSL knows'}"


def _names() -> dict[int, str]:
    """Return the names of all ciphers of this OpenSSL by their number in TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("ALL:COMPLEMENTOFALL:@SECLEVEL=0")
    return {cipher["id"] & 0xFFFF: cipher["name"] for cipher in context.get_ciphers()}
