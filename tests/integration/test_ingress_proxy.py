"""PROXY headers at the running ingress: accepted from listed balancers only, and required from them."""

from __future__ import annotations

import socket
import ssl

import pytest
import redis

from services.ingress import server
from services.ingress.proxy_protocol import SIGNATURE
from shared.configuration.redis import RedisSettings
from tests.conftest import Certificates
from tests.support.ingress import SENDER, RawClient, running, settings, spooled

CONTENT = b"From: a@exchange.example.com\r\nSubject: x\r\n\r\nHello\r\n"
BALANCER = ["127.0.0.0/8"]
V1 = b"PROXY TCP4 10.2.0.9 127.0.0.1 4711 25\r\n"
V1_IPV6 = b"PROXY TCP6 2001:db8::9 2001:db8::1 4711 25\r\n"
V2 = (
    SIGNATURE
    + b"\x21\x11"
    + (12).to_bytes(2, "big")
    + socket.inet_aton("10.2.0.9")
    + socket.inet_aton("127.0.0.1")
    + b"\x12\x67\x00\x19"
)
V2_LOCAL = SIGNATURE + b"\x20\x00\x00\x00"
MALFORMED = [
    b"EHLO client.example.com\r\n",
    b"PROXY TCP4 10.2.0.9\r\n",
    b"PROXY TCP4 10.2.0.999 127.0.0.1 4711 25\r\n",
    b"PROXY TCP4 10.2.0.9 127.0.0.1 4711 25\nEHLO x\r\n",
    b"PROXY TCP4 2001:db8::9 127.0.0.1 4711 25\r\n",
    b"PROXY " + b"x" * 200 + b"\r\n",
    SIGNATURE + b"\x11" + V2[13:],
    SIGNATURE + b"\x22" + V2[13:],
    SIGNATURE + b"\x21\x12" + V2[14:],
    SIGNATURE + b"\x21\x11\x00\x04\x7f\x00\x00\x01",
]


@pytest.mark.parametrize(
    ("header", "address"), [(V1, "10.2.0.9"), (V2, "10.2.0.9"), (V1_IPV6, "2001:db8::9")], ids=["v1", "v2", "v1-ipv6"]
)
def test_the_client_is_the_one_in_the_header(
    redis_settings: RedisSettings, redis_client: redis.Redis, header: bytes, address: str
) -> None:
    with running(settings(redis_settings, proxy_protocol_from=BALANCER)) as ingress:
        with RawClient(ingress.port, header) as client:
            client.greet().begin("b@notes.example.com", sender="a@exchange.example.com").open_data()
            assert client.ask(CONTENT + b".").startswith("250 ")
    [(envelope, _)] = spooled(redis_client)
    assert (envelope.source, envelope.client.address) == ("exchange", address)


def test_a_header_that_comes_octet_by_octet_is_read(redis_settings: RedisSettings) -> None:
    with running(settings(redis_settings, proxy_protocol_from=BALANCER)) as ingress:
        for header in (V1, V2):
            with RawClient(ingress.port) as client:
                for octet in header:
                    client.send(bytes([octet]))
                client.greet()


@pytest.mark.parametrize("header", [V2_LOCAL, b"PROXY UNKNOWN\r\n"], ids=["v2", "v1"])
def test_a_balancer_that_speaks_for_itself_is_the_client(
    redis_settings: RedisSettings, redis_client: redis.Redis, header: bytes
) -> None:
    with running(settings(redis_settings, proxy_protocol_from=BALANCER)) as ingress:
        with RawClient(ingress.port, header) as client:
            client.greet().begin().open_data()
            assert client.ask(CONTENT + b".").startswith("250 ")
    assert spooled(redis_client)[0][0].client.address == "127.0.0.1"


def test_a_client_behind_the_balancer_has_only_its_own_rights(redis_settings: RedisSettings) -> None:
    """The balancer's own network is that of `notes`, which may relay; this client is unknown."""
    with running(settings(redis_settings, proxy_protocol_from=BALANCER)) as ingress:
        with RawClient(ingress.port, V1.replace(b"10.2.0.9", b"192.0.2.1")) as client:
            client.greet()
            assert client.ask(f"MAIL FROM:<{SENDER}>") == "550 5.7.1 Client not authorized"


@pytest.mark.parametrize("header", MALFORMED, ids=ascii)
def test_a_balancer_without_a_good_header_is_dropped(redis_settings: RedisSettings, header: bytes) -> None:
    with running(settings(redis_settings, proxy_protocol_from=BALANCER)) as ingress:
        with RawClient(ingress.port, header) as client:
            assert client.is_closed


@pytest.mark.parametrize("start", [b"", b"PROXY TCP4 10.2", V2[:20]], ids=ascii)
def test_a_balancer_that_keeps_its_header_back_is_dropped(
    redis_settings: RedisSettings, monkeypatch: pytest.MonkeyPatch, start: bytes
) -> None:
    monkeypatch.setattr(server, "PROXY_SECONDS", 0.1)
    with running(settings(redis_settings, proxy_protocol_from=BALANCER)) as ingress:
        with RawClient(ingress.port, start) as client:
            assert client.is_closed


@pytest.mark.parametrize("header", [V1, V2], ids=["v1", "v2"])
def test_a_header_from_anybody_else_is_no_header(redis_settings: RedisSettings, header: bytes) -> None:
    """It is a bad command: the address in it counts for nothing."""
    with running(settings(redis_settings, proxy_protocol_from=["10.9.0.0/16"])) as ingress:
        with RawClient(ingress.port, header) as client:
            assert client.reply().startswith("220 ")
            assert client.reply().startswith("5")


def test_sessions_are_counted_by_the_client_behind_the_balancer(redis_settings: RedisSettings) -> None:
    given = settings(redis_settings, proxy_protocol_from=BALANCER, max_sessions_per_client=1)
    with running(given) as ingress:
        with RawClient(ingress.port, V1) as first, RawClient(ingress.port, V1) as second:
            first.greet()
            assert second.reply() == "421 4.7.0 Too many connections from your address"
            with RawClient(ingress.port, V1_IPV6) as third:
                third.greet()


def test_a_header_before_implicit_tls_is_read_and_the_handshake_follows(
    redis_settings: RedisSettings, certificates: Certificates, redis_client: redis.Redis
) -> None:
    given = settings(
        redis_settings,
        listen=[],
        listen_tls=["127.0.0.1:0"],
        proxy_protocol_from=BALANCER,
        tls={"certificate": certificates.certificate, "key": certificates.key},
    )
    context = ssl.create_default_context(cafile=str(certificates.ca))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    hello = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        hello.do_handshake()
    with running(given) as ingress:
        with RawClient(ingress.port, V2) as client:
            client.start_tls(context)
            client.greet().begin("b@notes.example.com", sender="a@exchange.example.com").open_data()
            assert client.ask(CONTENT + b".").startswith("250 ")
        with socket.create_connection(("127.0.0.1", ingress.port), timeout=10) as one_segment:
            one_segment.sendall(V2 + outgoing.read())
            assert one_segment.recv(1) == b"\x16"  # a handshake record: our hello was understood
    assert spooled(redis_client)[0][0].client.address == "10.2.0.9"
