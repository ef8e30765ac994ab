"""Headers without end: they cost neither memory nor time, are refused, and the mail behind them goes on."""

from __future__ import annotations

import ssl
from pathlib import Path

from shared.configuration.redis import RedisSettings
from shared.spool.dead_letters import list_dead
from tests.conftest import Certificates
from tests.support.gateway import gateway, ingress_process, resident_bytes
from tests.support.ingress import RawClient
from tests.support.processes import eventually
from tests.support.smart_host import SmartHostServer

FIELDS = b"".join(b"X-Field-%06d: %s\r\n" % (number, b"x" * 100) for number in range(10_000))
"""More than a megabyte."""
CONTINUED = b"Subject: long\r\n" + b" folded again and again\r\n" * 50_000
ENDLESS = {"fields": FIELDS, "one field": CONTINUED, "one line": b"Subject: " + b"x" * 1_200_000 + b"\r\n"}
MEGABYTE = 1 << 20


def test_a_header_that_never_ends_is_read_and_forgotten_once_it_is_too_large(
    redis_settings: RedisSettings, certificates: Certificates, tmp_path: Path
) -> None:
    limit = 4 * MEGABYTE
    with ingress_process(tmp_path, redis_settings, certificates, max_message_bytes=limit) as ingress:
        assert ingress.serves()
        with RawClient(ingress.port) as client:
            client.greet().begin().open_data()
            before = resident_bytes(ingress.pid)
            for _ in range(64):
                client.send(FIELDS)
            assert resident_bytes(ingress.pid) - before < 4 * limit
            assert client.ask(b"\r\n.") == "552 5.3.4 Message size exceeds fixed limit"
            client.begin()  # the session goes on
        assert ingress.serves()


def test_a_header_that_no_worker_could_read_is_refused_and_its_neighbours_go_on(
    certificates: Certificates, tmp_path: Path
) -> None:
    """Its sender gets the error at once: a dead letter would meet the same limit at each replay."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.certificate, certificates.key)
    with SmartHostServer(context=context) as host, gateway(tmp_path, certificates, host.port) as running:
        with RawClient(running.port, source="127.0.1.1") as client:
            client.greet()
            for header in ENDLESS.values():
                client.begin().open_data()
                client.send(header)
                assert client.ask(b".") == "552 5.3.4 Message header size exceeds fixed limit"
                client.begin().open_data()
                client.send(b"Subject: neighbour\r\n\r\n" + header)
                assert client.ask(b".").startswith("250 2.0.0 queued as ")
        spool = running.spool()
        eventually(lambda: len(host.messages) == len(ENDLESS), 60)
        assert spool.run(list_dead()) == []
        spool.close()
    assert all(b"Subject: neighbour" in message.content for message in host.messages)
