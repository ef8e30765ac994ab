"""The PROXY protocol, versions 1 and 2: the real client behind a load balancer. Pure; HAProxy's proxy-protocol.txt.

Strict: any deviation makes the header malformed, so that no client can forge an address through the load balancer.
A header is read to its last byte and no further: a TLS handshake may follow.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"  # section 2.2
MAX_V1_BYTES = 107  # section 2.1: with CRLF
MIN_BYTES = len(b"PROXY UNKNOWN\r\n")  # the shortest header of either version
V2_HEADER_BYTES = 16  # section 2.2: before the addresses
MAX_V2_PAYLOAD = 4096  # addresses and type-length-values; in practice a few hundred bytes

_V1 = re.compile(r"PROXY TCP([46]) (\S{2,39}) (\S{2,39}) (0|[1-9]\d{0,4}) (0|[1-9]\d{0,4})", re.ASCII)
_LOCAL, _PROXY = 0, 1
_ADDRESS_BYTES = {0x11: 4, 0x21: 16}  # TCP over IPv4, TCP over IPv6


class MalformedProxyHeader(ValueError):
    """The bytes are not a PROXY header."""


@dataclass(frozen=True, slots=True)
class Proxied:
    """The content of a header. client: the address of the real client; None for the load balancer itself."""

    client: IPv4Address | IPv6Address | None


def needed(data: bytes) -> int:
    """Return how many more bytes to read, at least; 0 when the header is complete. Raises MalformedProxyHeader."""
    if not (SIGNATURE.startswith(data[: len(SIGNATURE)]) or b"PROXY ".startswith(data[:6])):
        raise MalformedProxyHeader("not version 1 or 2")
    if len(data) < MIN_BYTES:
        return MIN_BYTES - len(data)
    if data.startswith(SIGNATURE):
        if len(data) < V2_HEADER_BYTES:
            return V2_HEADER_BYTES - len(data)
        payload = int.from_bytes(data[14:16], "big")
        if payload > MAX_V2_PAYLOAD:
            raise MalformedProxyHeader(f"{payload} bytes after the header")
        return V2_HEADER_BYTES + payload - len(data)
    if data.endswith(b"\r\n"):
        return 0
    if len(data) >= MAX_V1_BYTES:
        raise MalformedProxyHeader("line too long")
    return 1 if data.endswith(b"\r") else min(2, MAX_V1_BYTES - len(data))


def parse(header: bytes) -> Proxied:
    """Read a whole header. Raises MalformedProxyHeader."""
    return _parse_v2(header) if header.startswith(SIGNATURE) else _parse_v1(header)


async def read(receive: Callable[[int], Awaitable[bytes]]) -> Proxied:
    """Read a header from a connection. `receive` returns up to that many bytes, b"" at the end of input.

    Raises MalformedProxyHeader, also where the input ends before the header does.
    """
    header = b""
    while count := needed(header):
        piece = await receive(count)
        if not piece:
            raise MalformedProxyHeader("the input ends inside the header")
        header += piece
    return parse(header)


def _parse_v1(header: bytes) -> Proxied:
    try:
        line = header.decode("ascii")
    except UnicodeDecodeError:
        raise MalformedProxyHeader("not ASCII") from None
    if not line.endswith("\r\n") or len(header) > MAX_V1_BYTES:
        raise MalformedProxyHeader("not a line")
    line = line[:-2]
    if re.search(r"[\x00-\x1f\x7f]", line):
        raise MalformedProxyHeader("a control character")
    if line == "PROXY UNKNOWN" or line.startswith("PROXY UNKNOWN "):
        return Proxied(None)
    found = _V1.fullmatch(line)
    if not found or int(found[4]) > 65535 or int(found[5]) > 65535:
        raise MalformedProxyHeader("not a PROXY line")
    family = IPv4Address if found[1] == "4" else IPv6Address
    try:
        client, _ = family(found[2]), family(found[3])
    except ValueError:
        raise MalformedProxyHeader("not an address") from None
    return Proxied(client)


def _parse_v2(header: bytes) -> Proxied:
    if len(header) < V2_HEADER_BYTES or len(header) != V2_HEADER_BYTES + int.from_bytes(header[14:16], "big"):
        raise MalformedProxyHeader("wrong length")
    version, command = header[12] >> 4, header[12] & 0x0F
    if version != 2 or command not in (_LOCAL, _PROXY):
        raise MalformedProxyHeader("not LOCAL or PROXY of version 2")
    if command == _LOCAL:
        return Proxied(None)
    size = _ADDRESS_BYTES.get(header[13])
    if size is None or len(header) < V2_HEADER_BYTES + 2 * size + 4:
        raise MalformedProxyHeader("not TCP addresses")
    packed = header[V2_HEADER_BYTES : V2_HEADER_BYTES + size]
    return Proxied(IPv4Address(packed) if size == 4 else IPv6Address(packed))
