"""The pods of overlays/dev, run for real: mail through them, replacement and scaling under load, dead letters.

Run by `make test-containers`, which says what it needs.
"""

from __future__ import annotations

import json
import smtplib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from shared.operations.certificates import self_signed
from tests.support.endpoints import Endpoints
from tests.support.load import Load, caught
from tests.support.manifests import ROOT, render
from tests.support.pods import PASSWORD, Pods, until

STAGES = ["ingress", "transform", "egress"]
SMTP = 2525


@pytest.fixture
def pods(tmp_path: Path) -> Iterator[Pods]:
    tls = tmp_path / "tls"
    self_signed(tls, ["causeway.example.com"])
    with Pods(render(ROOT / "overlays" / "dev"), tls, tmp_path) as pods:
        for name in ("redis", "domino", "exchange"):
            pods.play(name, name)
        for stage in STAGES:
            pods.start(stage, f"{stage}-0")
        yield pods


@pytest.fixture
def service(pods: Pods) -> Iterator[Endpoints]:
    with Endpoints() as service:
        service.pods = [(pods.address("ingress-0"), SMTP)]
        yield service


@contextmanager
def under_load(service: Endpoints, at_least: int = 500) -> Iterator[Load]:
    """Messages come in for the whole block and until there are some; then no more."""
    load = Load(service.port, total=1_000_000, clients=3, deadline_seconds=300)
    sending = threading.Thread(target=load.run)
    sending.start()
    try:
        until(lambda: len(load.acknowledged) > 50, "the load has begun")
        yield load
        until(lambda: len(load.acknowledged) > at_least, f"{at_least} messages")
    finally:
        load.enough.set()
        sending.join()


def assert_all_arrived(load: Load, pods: Pods, folder: Path) -> None:
    """Each message that was answered with 250 is there, and none more often than it was sent."""
    arrived = folder / "caught"

    def all_there() -> bool:
        pods.copy_from("exchange", "/tmp/caught", folder)
        return load.acknowledged <= caught(arrived).keys()

    until(all_there, f"all of {len(load.acknowledged)} messages", seconds=120)
    twice = [tag for tag, times in caught(arrived).items() if times > load.attempts[tag]]
    print(f"{len(load.acknowledged)} acknowledged, 0 lost, {len(twice)} twice")  # noqa: T201 (for who runs it with -s)
    assert twice == []


def test_a_message_goes_through_the_pods(pods: Pods, service: Endpoints, tmp_path: Path) -> None:
    load = Load(service.port, total=1, clients=1, deadline_seconds=30)
    load.run()
    assert len(load.acknowledged) == 1
    assert_all_arrived(load, pods, tmp_path)


def test_a_rolling_replacement_under_load_loses_nothing(pods: Pods, service: Endpoints, tmp_path: Path) -> None:
    with under_load(service) as load:
        for stage in STAGES:
            pods.start(stage, f"{stage}-1")
            if stage == "ingress":
                service.pods = [(pods.address("ingress-1"), SMTP)]
            assert pods.stop(stage, f"{stage}-0") < 30
    assert_all_arrived(load, pods, tmp_path)


def test_scaling_from_one_to_four_to_one_under_load_loses_nothing(
    pods: Pods, service: Endpoints, tmp_path: Path
) -> None:
    with under_load(service) as load:
        for stage in ("transform", "egress"):
            for number in (1, 2, 3):
                pods.start(stage, f"{stage}-{number}")
        for stage in ("transform", "egress"):
            for number in (3, 1, 0):
                pods.stop(stage, f"{stage}-{number}")
    assert_all_arrived(load, pods, tmp_path)


def test_dead_letters_are_seen_and_replayed_from_inside_a_pod(pods: Pods, service: Endpoints, tmp_path: Path) -> None:
    """One by `causeway`, one by RQ's own tool; who has the message does not get it again, and the replay says so."""
    john, pat = "john.doe@exchange.example.com", "pat@exchange.example.com"
    pods.remove("exchange")
    pods.play("exchange", "exchange", arguments=["--refuse", john])
    pods.stop("egress", "egress-0")
    pods.start("egress", "egress-1", environment={"CAUSEWAY_EGRESS__REFUSED": "dead_letter"})

    def dead(*command: str) -> str:
        return pods.run("egress-1", "causeway", "dead", *command)

    def arrived() -> list[list[str]]:
        folder = pods.copy_from("exchange", "/tmp/caught", tmp_path)
        return sorted(json.loads(file.read_text())["recipients"] for file in folder.glob("*.json"))

    with smtplib.SMTP("127.0.0.1", service.port) as client:
        for subject in ("first", "second"):
            text = f"From: anna.schmidt@notes.example.com\r\nSubject: {subject}\r\n\r\nHello.\r\n"
            client.sendmail("anna.schmidt@notes.example.com", [john, pat], text)
    until(lambda: len(json.loads(dead("list", "--json"))) == 2, "two dead letters")
    first, second = (letter["id"] for letter in json.loads(dead("list", "--reason", "refused", "--json")))
    assert arrived() == [[pat], [pat]]

    shown = dead("show", first)
    for part in ("refused in egress", "550 5.1.1 No such user", "250 2.0.0 Ok", "- notes.example.com", "+ example.com"):
        assert part in shown
    dead("export", first, "--out", "/tmp/parked")
    exported = {file.name for file in pods.copy_from("egress-1", "/tmp/parked", tmp_path).iterdir()}
    assert exported == {f"{first}.eml", f"{first}.converted.eml", f"{first}.json"}
    said = dead("replay", "--reason", "refused", "--system", "exchange", "--since", "1h", "--dry-run")
    assert said.count("has it already, and does not get it again") == 2
    assert len(json.loads(dead("list", "--json"))) == 2, "a dry run does nothing"

    pods.remove("exchange")
    pods.play("exchange", "exchange")
    dead("replay", first, "--rate", "5")
    requeue = (
        "rq",
        "requeue",
        "--url",
        f"redis://:{PASSWORD}@redis:6379/0",
        "--serializer",
        "json",
        "--queue",
        "egress.exchange",
    )
    pods.run("egress-1", *requeue, second)
    until(lambda: arrived() == [[john], [john]], "what was parked")
    assert json.loads(dead("list", "--json")) == []
