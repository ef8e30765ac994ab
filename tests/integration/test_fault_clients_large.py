"""The largest message that is allowed goes through byte for byte, and costs ingress a few times its size."""

from __future__ import annotations

import os
import ssl
import sys
from pathlib import Path
from random import Random

from tests.conftest import Certificates
from tests.support.gateway import gateway, most_resident_bytes
from tests.support.ingress import RawClient
from tests.support.processes import eventually
from tests.support.smart_host import SmartHostServer

LARGE_BYTES = int(os.environ.get("CAUSEWAY_LARGE_BYTES", "20000000"))
COPIES = 5
"""What ingress may hold for a message of size 1: as it comes, unstuffed, with its Received field, and on its way to
Redis. A buffer that grows has twice its size for a moment."""


def body(size: int) -> bytes:
    """Return lines of every byte but CR and LF, some of which begin with a dot."""
    octets = Random(4).randbytes(size).translate(bytes(octet if octet not in b"\r\n" else 46 for octet in range(256)))
    return b"".join(octets[at : at + 900] + b"\r\n" for at in range(0, len(octets) - 900, 900))


def test_a_large_message_arrives_byte_for_byte_within_the_memory_of_a_few(
    certificates: Certificates, tmp_path: Path
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.certificate, certificates.key)
    header, content = b"Subject: large\r\nContent-Type: application/octet-stream\r\n\r\n", body(LARGE_BYTES)
    with SmartHostServer(context=context) as host, gateway(tmp_path, certificates, host.port) as running:
        before = most_resident_bytes(running.pid("ingress"))
        with RawClient(running.port, source="127.0.1.1") as client:
            client.socket.settimeout(60)
            client.greet().begin().open_data()
            client.send((header + content).replace(b"\r\n.", b"\r\n.."))
            assert client.ask(b".").startswith("250 2.0.0 queued as ")
        eventually(lambda: host.messages, 60)
        grown = most_resident_bytes(running.pid("ingress")) - before
    sys.stdout.write(f"{LARGE_BYTES} octets in, ingress grew by {grown / LARGE_BYTES:.1f} times as many\n")
    [arrived] = host.messages
    assert arrived.encrypted
    assert arrived.content.endswith(b"\r\n\r\n" + content)
    assert grown < COPIES * LARGE_BYTES
