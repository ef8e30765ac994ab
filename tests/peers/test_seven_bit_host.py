"""Postfix and Causeway side by side, each with every message of the corpora, to hosts without 8BITMIME and SMTPUTF8."""

from __future__ import annotations

import asyncio
import re
import shutil
import smtplib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from services.demo.ports import free_ports
from services.egress.addresses import HostAddresses
from services.egress.balance import Host
from services.egress.commands import OutgoingMessage
from services.egress.connect import open_session
from services.egress.dns_client import DnsClient
from services.egress.host_tls import HostTls
from services.egress.session import Session, Timeouts
from services.egress.tlsa import TlsaRecords
from shared.configuration.smart_hosts import SmartHost
from shared.mail.body import decode_body
from shared.mail.delivery import Delivery, DeliveryRecipient
from shared.mail.line_ends import normalize
from shared.mail.mime import parse
from shared.mail.outcome import Delivered
from shared.operations import certificates
from tests.peers.postfix import Postfix
from tests.support.optional import POSTFIX, ROOT, needs
from tests.support.processes import eventually
from tests.support.smart_host import SmartHostServer

TESTS = Path(__file__).parents[1]
CORPORA = (TESTS / "corpus", TESTS / "cases", TESTS.parents[1] / "shared" / "corpus")
MESSAGES = [normalize(path.read_bytes()) for corpus in CORPORA for path in sorted(corpus.rglob("*.eml"))]
SENDER = "a@example.com"
TIMEOUTS = Timeouts(connect=10, command=30, data=30)
_BREAK = re.compile(rb"\r\n ")

pytestmark = needs(ROOT, POSTFIX)


@pytest.fixture
def place() -> Iterator[Path]:
    """Return a folder that the user postfix can enter."""
    folder = Path(tempfile.mkdtemp(prefix="causeway-peers-", dir="/var/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def old_host() -> Iterator[SmartHostServer]:
    with SmartHostServer(["SIZE"]) as server:
        yield server


@pytest.fixture
def postfix(place: Path, old_host: SmartHostServer) -> Iterator[Postfix]:
    made = certificates.self_signed(place / "tls", ["mx.example.com"])
    (port,) = free_ports(1)
    started = Postfix(place / "relay", "relay.example.com", port, made.certificate, made.key, "may", old_host.port)
    started.configure()
    started.start()
    yield started
    started.stop()


def recipient(number: int) -> str:
    return f"m{number}@example.com"


def received(server: SmartHostServer) -> dict[str, bytes]:
    return {arrived.rcpts[0].partition("<")[2].partition(">")[0]: arrived.content for arrived in server.messages}


def texts(content: bytes) -> list[bytes]:
    """Return the decoded text of a message, without the breaks of long lines."""
    parts = [part for part in parse(content).walk() if not part.children and part.content_type.startswith("text/")]
    return [_BREAK.sub(b"", decode_body(content, part)).strip() for part in parts]


async def send(server: SmartHostServer) -> dict[str, str]:
    """Send every message as egress does; return why those were not delivered that were not."""
    settings = SmartHost(host="127.0.0.1", port=server.port, tls="none")
    host = Host("127.0.0.1", server.port, 10, 1, settings)
    tls = HostTls([settings], TlsaRecords(DnsClient()))
    addresses = HostAddresses(Random(1))
    session = await open_session(host, hostname="gw.example.com", tls=tls, timeouts=TIMEOUTS, addresses=addresses)
    assert isinstance(session, Session)
    failed = {}
    for number, content in enumerate(MESSAGES):
        address = recipient(number)
        recipients = (DeliveryRecipient(address, address, address, ()),)
        delivery = Delivery("m1-x", "m1", "notes", "x", SENDER, recipients, len(content), 0, 0, smtputf8=True)
        result = await session.send(OutgoingMessage(delivery, content), recipients)
        if not result.outcomes or not isinstance(result.outcomes[0], Delivered):
            failed[address] = str(result)
    await session.quit()
    return failed


def test_both_deliver_every_message_of_the_corpora_and_the_same_text(
    postfix: Postfix, old_host: SmartHostServer
) -> None:
    with smtplib.SMTP("127.0.0.1", postfix.port, local_hostname="client.example.com") as client:
        for number, content in enumerate(MESSAGES):
            options = [] if content.isascii() else ["BODY=8BITMIME"]
            client.sendmail(SENDER, [recipient(number)], content, mail_options=options)
    eventually(lambda: len(received(old_host)) + len(postfix.bounced()) >= len(MESSAGES), 180)
    assert MESSAGES
    assert not postfix.bounced()
    by_postfix = received(old_host)
    with SmartHostServer(["SIZE"]) as server:
        assert asyncio.run(send(server)) == {}
        by_causeway = received(server)
    assert by_causeway.keys() == by_postfix.keys()
    different = [address for address, content in by_causeway.items() if texts(content) != texts(by_postfix[address])]
    assert not different
