"""The stack of docker-compose.yml, for real: mail in and out by MX names, MX 20 for MX 10, Prometheus over all of it.

Run by `make test-compose`, which says what it needs.
"""

from __future__ import annotations

import json
import smtplib
from collections.abc import Iterator
from typing import Any
from urllib.request import urlopen
from uuid import uuid4

import pytest
import yaml

from tests.support.compose import ROOT, SECONDS, Caught, Stack
from tests.support.processes import eventually

ANNA, JOHN = "anna.schmidt@example.com", "john.doe@example.com"
WAYS = {
    "domino-sends": ("anna.schmidt@notes.example.com", JOHN, "exchange"),
    "exchange-sends": ("john.doe@exchange.example.com", ANNA, "domino"),
}
"""By the service that sends: from whom, to whom, and the catcher that gets it."""


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with Stack() as up:
        yield up


def arrived(stack: Stack, catcher: str, subject: str) -> Caught:
    """Return the message with a subject, once the catcher has it."""
    found: list[Caught] = []

    def there() -> bool:
        found[:] = [one for one in stack.caught(catcher) if f"Subject: {subject}\n" in one.text]
        return bool(found)

    eventually(there, SECONDS)
    [message] = found
    return message


def test_every_service_is_up_and_healthy(stack: Stack) -> None:
    written = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    assert stack.states().keys() == {name for name, service in written.items() if "profiles" not in service}
    eventually(lambda: stack.unhealthy() == {}, SECONDS)


@pytest.mark.parametrize("service", WAYS)
def test_a_message_comes_in_and_goes_out_by_mx_names_over_tls(stack: Stack, service: str) -> None:
    sender, recipient, catcher = WAYS[service]
    subject = uuid4().hex
    [answer] = stack.send(service, sender, recipient, subject)
    assert answer.startswith("MX 10 mx10.causeway.example.com: 250 ")
    message = arrived(stack, catcher, subject)
    assert message.encrypted
    assert "by mx10.causeway.example.com (Causeway) with ESMTPS" in message.text
    history = stack.execute("egress", "causeway", "trace", answer.split()[-1])
    assert f"{catcher}1.example.com:2525" in history


def test_mx_20_takes_over_while_mx_10_is_stopped(stack: Stack) -> None:
    subject = uuid4().hex
    stack.compose("stop", "ingress-1")
    try:
        assert stack.states()["ingress-1"]["ExitCode"] == 0
        refused, taken = stack.send("domino-sends", "anna.schmidt@notes.example.com", JOHN, subject)
    finally:
        stack.compose("start", "ingress-1")
        eventually(lambda: stack.unhealthy() == {}, SECONDS)
    assert refused.startswith("MX 10 mx10.causeway.example.com: ")
    assert taken.startswith("MX 20 mx20.causeway.example.com: 250 ")
    assert "by mx20.causeway.example.com (Causeway) with ESMTPS" in arrived(stack, "exchange", subject).text


@pytest.mark.parametrize("service", ["ingress-1", "ingress-2"])
def test_who_comes_from_this_machine_counts_as_domino(stack: Stack, service: str) -> None:
    subject = uuid4().hex
    host, _, port = stack.address(service, 2525).rpartition(":")
    with smtplib.SMTP(host, int(port), timeout=30) as client:
        client.sendmail("anna.schmidt@notes.example.com", [JOHN], f"Subject: {subject}\r\n\r\nHello\r\n")
    assert arrived(stack, "exchange", subject).recipients == ["john.doe@exchange.example.com"]


def ask(stack: Stack, path: str) -> Any:
    with urlopen(f"http://{stack.address('prometheus', 9090)}/api/v1/{path}", timeout=10) as answer:
        return json.load(answer)["data"]


def test_prometheus_has_every_target_up(stack: Stack) -> None:
    def up() -> list[tuple[str, str]]:
        return sorted((sample["labels"]["job"], sample["health"]) for sample in ask(stack, "targets")["activeTargets"])

    jobs = ["causeway-egress", "causeway-ingress", "causeway-ingress", "causeway-transform"]
    eventually(lambda: up() == [(job, "up") for job in jobs], SECONDS)


def test_prometheus_has_every_rule_loaded_and_computed(stack: Stack) -> None:
    groups = yaml.safe_load((ROOT / "deploy" / "monitoring" / "rules.yaml").read_text())["groups"]
    written = {
        (group["name"], rule.get("alert") or rule["record"], "ok") for group in groups for rule in group["rules"]
    }

    def loaded() -> set[tuple[str, str, str]]:
        found = ask(stack, "rules")["groups"]
        return {(group["name"], rule["name"], rule["health"]) for group in found for rule in group["rules"]}

    eventually(lambda: loaded() == written, SECONDS)
