"""One message for a thousand people."""

from __future__ import annotations

import smtplib
import ssl
from pathlib import Path

from shared.history.message import MessageConverted
from shared.spool.history import read_history
from tests.conftest import Certificates
from tests.support.gateway import gateway
from tests.support.processes import eventually
from tests.support.smart_host import SmartHostServer

PEOPLE = 1000
REFUSED = {f"r{number:04d}" for number in range(0, PEOPLE, 100)}
SENDER = "anna.schmidt@notes.example.com"


def answer(line: str) -> str:
    name = line.partition("<")[2].partition("@")[0]
    return "550 5.1.1 no such user" if name in REFUSED else "250 2.1.5 ok"


def test_a_thousand_recipients_are_one_delivery_and_the_refused_ones_one_report(
    certificates: Certificates, tmp_path: Path
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.certificate, certificates.key)
    people = [f"r{number:04d}" for number in range(PEOPLE)]
    with (
        SmartHostServer(context=context, answers={"RCPT": answer}) as host,
        gateway(tmp_path, certificates, host.port) as running,
    ):
        with smtplib.SMTP("127.0.0.1", running.port, source_address=("127.0.1.1", 0), timeout=60) as client:
            client.ehlo("client.example.com")
            client.mail(SENDER)
            for name in people:
                assert client.rcpt(f"{name}@exchange.example.com")[0] == 250
            code, said = client.data("Subject: to all\r\n\r\nHello\r\n")
            assert code == 250
        eventually(lambda: len(host.messages) == 2, 60)
        spool = running.spool()
        history = spool.run(read_history(said.decode().rpartition(" ")[2]))
        spool.close()
    [sent], [report] = (
        [message for message in host.messages if ("<>" in message.mail) is bounced] for bounced in (False, True)
    )
    taken = {line.partition("<")[2].partition("@")[0] for line in sent.rcpts}
    assert taken == set(people) - REFUSED
    assert len(sent.rcpts) == PEOPLE - len(REFUSED)
    assert sent.encrypted
    assert report.encrypted
    output = [line for line in report.content.decode().splitlines() if line.startswith("Final-Recipient:")]
    assert {line.partition(";")[2].strip().partition("@")[0] for line in output} == REFUSED
    [converted] = [event for event in history if isinstance(event, MessageConverted)]
    assert len(converted.deliveries) == 1
