"""The pods of overlays/dev, run for real: a message through them, a rolling replacement and scaling under load.

Run by `make test-containers`, which says what it needs.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from shared.operations.certificates import self_signed
from tests.support.endpoints import Endpoints
from tests.support.load import Load, caught
from tests.support.manifests import ROOT, render
from tests.support.pods import Pods, until

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
    assert [tag for tag, times in caught(arrived).items() if times > load.attempts[tag]] == []


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
