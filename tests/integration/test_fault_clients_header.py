"""Headers without end: they cost neither memory nor time, nothing accepted is lost, the mail behind them goes on."""

from __future__ import annotations

import ssl
from pathlib import Path

from shared.operations.settings import RedisSettings
from shared.spool.dead_letters import list_dead
from shared.spool.lease import contents
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
            assert client.ask(b"\r\n.") == "552 5.3.4 Message too large"
            client.begin()  # the session goes on
        assert ingress.serves()


def test_a_header_beyond_the_limit_of_the_reader_is_a_dead_letter_and_its_neighbours_go_on(
    certificates: Certificates, tmp_path: Path
) -> None:
    """Ingress has taken it, so it is kept, whole; who looks at it can still have it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.certificate, certificates.key)
    ids: dict[str, str] = {}
    with SmartHostServer(context=context) as host, gateway(tmp_path, certificates, host.port) as running:
        with RawClient(running.port, source="127.0.1.1") as client:
            client.greet()
            for name, header in ENDLESS.items():
                for content in (header, b"Subject: neighbour\r\n\r\nHello\r\n"):
                    client.begin().open_data()
                    client.send(content)
                    reply = client.ask(b".")
                    assert reply.startswith("250 2.0.0 queued as ")
                    ids.setdefault(name, reply.rpartition(" ")[2])
        spool = running.spool()
        eventually(lambda: len(host.messages) == len(ENDLESS) == len(spool.run(list_dead())), 60)
        letters = {letter.id: letter.reason for letter in spool.run(list_dead())}
        kept = spool.run(contents(list(ids.values())))
        spool.close()
    assert letters == dict.fromkeys(ids.values(), "malformed")
    assert [(content or b"").endswith(header) for content, header in zip(kept, ENDLESS.values(), strict=True)] == [
        True
    ] * 3
    assert all(b"Subject: neighbour" in one.content for one in host.messages)
