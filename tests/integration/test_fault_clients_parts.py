"""Messages of ten thousand MIME parts: what the reader takes is delivered whole, what it does not is a dead letter."""

from __future__ import annotations

import ssl
from pathlib import Path

from shared.spool.dead_letters import list_dead
from tests.conftest import Certificates
from tests.support.gateway import gateway
from tests.support.ingress import RawClient
from tests.support.processes import eventually
from tests.support.smart_host import SmartHostServer

MOST = 10_000  # shared.mail.mime.Limits.parts, the message itself among them
PART = b"--b\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\nx\r\n"
HEADER = b'Subject: %d\r\nBcc: secret@example.com\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n'


def of_parts(count: int) -> bytes:
    return HEADER % count + PART * count + b"--b--\r\n"


def test_ten_thousand_parts_arrive_and_one_more_is_a_dead_letter_that_delays_no_other(
    certificates: Certificates, tmp_path: Path
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.certificate, certificates.key)
    with SmartHostServer(context=context) as host, gateway(tmp_path, certificates, host.port) as running:
        with RawClient(running.port, source="127.0.1.1") as client:
            client.greet()
            for count in (MOST - 1, MOST, 1):
                client.begin().open_data()
                client.send(of_parts(count))
                assert client.ask(b".").startswith("250 2.0.0 queued as ")
        spool = running.spool()
        eventually(lambda: len(host.messages) == 2 and spool.run(list_dead()), 90)
        [letter] = spool.run(list_dead())
        spool.close()
    assert letter.reason == "malformed"
    assert letter.detail == f"more than {MOST} parts"
    assert {message.content.count(PART) for message in host.messages} == {MOST - 1, 1}
    assert not any(b"secret@example.com" in message.content for message in host.messages)
