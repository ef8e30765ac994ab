"""DSN parameters (RFC 3461) at the running ingress: kept as they were given, or refused."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from shared.configuration.redis import RedisSettings
from tests.support.ingress import RECIPIENT, SENDER, RawClient, running, settings, spooled

MAIL, RCPT = f"MAIL FROM:<{SENDER}>", f"RCPT TO:<{RECIPIENT}>"
CONTENT = b"Subject: x\r\n\r\nHello\r\n"


@pytest.fixture
def client(redis_settings: RedisSettings) -> Iterator[RawClient]:
    with running(settings(redis_settings)) as ingress, RawClient(ingress.port) as connected:
        yield connected.greet()


def test_everything_asked_is_kept(client: RawClient, redis_client: redis.Redis) -> None:
    assert client.ask(MAIL + " RET=hdrs ENVID=QQ+2B314159 BODY=8bitmime SIZE=20") == "250 2.1.0 Sender OK"
    assert client.ask(RCPT + " notify=success,DELAY ORCPT=rfc822;Bob+40example.com").startswith("250 ")
    assert client.ask("RCPT TO:<c@exchange.example.com> NOTIFY=NEVER").startswith("250 ")
    assert client.ask("RCPT TO:<d@exchange.example.com>").startswith("250 ")
    client.open_data()
    assert client.ask(CONTENT + b".").startswith("250 ")
    [(envelope, _)] = spooled(redis_client)
    assert (envelope.ret, envelope.envid, envelope.body) == ("HDRS", "QQ+2B314159", "8BITMIME")
    assert [(recipient.notify, recipient.orcpt) for recipient in envelope.recipients] == [
        (("SUCCESS", "DELAY"), "rfc822;Bob+40example.com"),
        (("NEVER",), None),
        ((), None),
    ]


def test_smtputf8_carries_addresses_of_all_scripts(client: RawClient, redis_client: redis.Redis) -> None:
    assert client.ask("MAIL FROM:<jörg@notes.example.com> SMTPUTF8") == "250 2.1.0 Sender OK"
    recipient = "RCPT TO:<ωμέγα@exchange.example.com> ORCPT=utf-8;ωμέγα@exchange.example.com"
    assert client.ask(recipient) == "250 2.1.5 Recipient OK"
    client.open_data()
    assert client.ask(CONTENT + b".").startswith("250 ")
    [(envelope, _)] = spooled(redis_client)
    assert (envelope.sender, envelope.smtputf8) == ("jörg@notes.example.com", True)
    assert envelope.recipients[0].orcpt == "utf-8;ωμέγα@exchange.example.com"


@pytest.mark.parametrize(
    "parameters",
    ["RET=ALL", "RET", "ENVID", "ENVID=a+b", "ENVID=a+2b", "ENVID=" + "x" * 101, "ENVID=a ENVID=b", "ENVID=a=b"],
)
def test_a_malformed_parameter_of_mail_is_refused(client: RawClient, parameters: str) -> None:
    assert client.ask(f"{MAIL} {parameters}") == "501 5.5.4 Syntax error in parameters or arguments"


@pytest.mark.parametrize(
    "parameters",
    [
        "NOTIFY=NEVER,SUCCESS",
        "NOTIFY=SOMETIMES",
        "NOTIFY=",
        "NOTIFY",
        "NOTIFY=DELAY,DELAY",
        "ORCPT=rfc822",
        "ORCPT=rfc822;",
        "ORCPT=;a",
        "ORCPT=rfc822;a+4",
        "ORCPT=rfc822;a=b",
        "ORCPT=rfc822;" + "x" * 500,
    ],
)
def test_a_malformed_parameter_of_rcpt_is_refused(client: RawClient, parameters: str) -> None:
    assert client.ask(MAIL).startswith("250 ")
    assert client.ask(f"{RCPT} {parameters}") == "501 5.5.4 Syntax error in parameters or arguments"
