"""PROXY headers: valid headers are read exactly, others are malformed."""

from __future__ import annotations

import asyncio
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingress.proxy_protocol import (
    MAX_V1_BYTES,
    MAX_V2_PAYLOAD,
    SIGNATURE,
    MalformedProxyHeader,
    Proxied,
    needed,
    parse,
    read,
)

ports = st.integers(0, 65535)
pairs = st.tuples(st.ip_addresses(v=4), st.ip_addresses(v=4)) | st.tuples(st.ip_addresses(v=6), st.ip_addresses(v=6))


def read_from(wire: bytes, step: int = 10_000) -> tuple[Proxied, bytes]:
    """Return what the header on the wire says, and what is left on the wire."""
    left = wire

    async def receive(count: int) -> bytes:
        nonlocal left
        piece, left = left[: min(count, step)], left[min(count, step) :]
        return piece

    return asyncio.run(read(receive)), left


def version_1(source: object, destination: object, ports: tuple[int, int]) -> bytes:
    family = 4 if isinstance(source, IPv4Address) else 6
    return f"PROXY TCP{family} {source} {destination} {ports[0]} {ports[1]}\r\n".encode()


def version_2(source: IPv4Address | IPv6Address, destination: IPv4Address | IPv6Address, more: bytes = b"") -> bytes:
    payload = source.packed + destination.packed + b"\x12\x34\x00\x19" + more
    family = b"\x11" if source.version == 4 else b"\x21"
    return SIGNATURE + b"\x21" + family + len(payload).to_bytes(2, "big") + payload


@given(pairs, st.tuples(ports, ports), st.binary(max_size=20), st.integers(1, 40))
def test_version_1_gives_the_source_and_takes_no_octet_too_many(
    pair: tuple[IPv4Address, IPv4Address], both: tuple[int, int], rest: bytes, step: int
) -> None:
    assert read_from(version_1(*pair, both) + rest, step) == (Proxied(pair[0]), rest)


@given(pairs, st.binary(max_size=40), st.binary(max_size=20), st.integers(1, 40))
def test_version_2_gives_the_source_and_takes_no_octet_too_many(
    pair: tuple[IPv4Address, IPv4Address], more: bytes, rest: bytes, step: int
) -> None:
    assert read_from(version_2(*pair, more) + rest, step) == (Proxied(pair[0]), rest)


@pytest.mark.parametrize(
    "wire", [b"PROXY UNKNOWN\r\n", b"PROXY UNKNOWN ff::1 ff::2 1 2\r\n", SIGNATURE + b"\x20\0\0\0"]
)
def test_a_balancer_may_speak_for_itself(wire: bytes) -> None:
    assert read_from(wire + b"x") == (Proxied(None), b"x")


@given(
    st.binary(max_size=200)
    | st.binary(max_size=120).map(b"PROXY ".__add__)
    | st.binary(max_size=80).map(SIGNATURE.__add__)
)
def test_arbitrary_octets_are_a_header_or_malformed_and_never_more(wire: bytes) -> None:
    try:
        proxied, left = read_from(wire)
    except MalformedProxyHeader:
        return
    header = wire[: len(wire) - len(left)]
    assert parse(header) == proxied
    assert needed(header) == 0
    assert len(header) <= max(MAX_V1_BYTES, 16 + MAX_V2_PAYLOAD)


@given(pairs, st.tuples(ports, ports), st.data())
def test_a_header_cut_short_is_malformed(
    pair: tuple[IPv4Address, IPv4Address], both: tuple[int, int], data: st.DataObject
) -> None:
    for header in (version_1(*pair, both), version_2(*pair)):
        cut = header[: data.draw(st.integers(0, len(header) - 1))]
        with pytest.raises(MalformedProxyHeader):
            read_from(cut)


@pytest.mark.parametrize(
    "wire",
    [
        b"PROXY TCP4 1.2.3.4 5.6.7.8 1 65536\r\n",
        b"PROXY TCP4 1.2.3.4 5.6.7.8 01 2\r\n",
        b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2 \r\n",
        b"PROXY TCP4  1.2.3.4 5.6.7.8 1 2\r\n",
        b"PROXY TCP4 01.2.3.4 5.6.7.8 1 2\r\n",
        b"PROXY TCP4 ::1 ::2 1 2\r\n",
        b"PROXY TCP6 1.2.3.4 5.6.7.8 1 2\r\n",
        b"PROXY UDP4 1.2.3.4 5.6.7.8 1 2\r\n",
        b"proxy TCP4 1.2.3.4 5.6.7.8 1 2\r\n",
        b"PROXY UNKNOWNX\r\n",
        b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\nEHLO\r\n",
        b"PROXY UNKNOWN a\nb\r\n",
        "PROXY TCP4 ١.2.3.4 5.6.7.8 1 2\r\n".encode(),
        SIGNATURE + b"\x21\x11\x00\x0b" + bytes(11),
        SIGNATURE + b"\x21\x21\x00\x0c" + bytes(12),
        SIGNATURE + b"\x21\x00\x00\x0c" + bytes(12),
        SIGNATURE + b"\x21\x11\xff\xff" + bytes(65535),
        SIGNATURE + b"\x31\x11\x00\x0c" + bytes(12),
    ],
)
def test_anything_amiss_is_malformed(wire: bytes) -> None:
    with pytest.raises(MalformedProxyHeader):
        read_from(wire)


def test_a_mapped_address_is_kept_as_received() -> None:
    mapped = ip_address("::ffff:10.2.0.9")
    assert isinstance(mapped, IPv6Address)
    assert read_from(version_2(mapped, mapped))[0] == Proxied(mapped)
