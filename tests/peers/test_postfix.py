"""Tests with independent peers: swaks and smtp-source send, two Postfix instances are the smart hosts.

`make test-peers` runs this by itself.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest

from services.demo import gateway as demo_gateway
from services.demo.ports import free_ports
from shared.operations import certificates
from tests.peers.postfix import Postfix
from tests.support.optional import POSTFIX, ROOT, SWAKS, needs
from tests.support.processes import eventually

MESSAGES = 2000

pytestmark = needs(ROOT, POSTFIX, SWAKS)


@pytest.fixture
def place() -> Iterator[Path]:
    """Return a folder that the user postfix can enter."""
    folder = Path(tempfile.mkdtemp(prefix="causeway-peers-", dir="/var/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def smart_hosts(place: Path) -> Iterator[tuple[Postfix, Postfix]]:
    made = certificates.self_signed(place / "tls", ["mx.example.com"])
    pair = tuple(
        Postfix(place / name, name, free_ports(1)[0], made.certificate, made.key)
        for name in ("mx1.example.com", "mx2.example.com")
    )
    for one in pair:
        one.configure()
        one.start()
    yield pair  # type: ignore[misc]
    for one in pair:
        one.stop()


@pytest.fixture
def gateway(place: Path, smart_hosts: tuple[Postfix, Postfix]) -> Iterator[demo_gateway.Gateway]:
    """The demonstration's gateway, with the Postfix pair 3:1 as Exchange's smart hosts."""

    def with_postfix(content: dict[str, Any]) -> None:
        content["systems"][1]["smart_hosts"] = [
            {
                "host": "127.0.0.1",
                "port": host.port,
                "weight": weight,
                "tls": "verify",
                "ca": str(place / "tls" / "ca.crt"),
                "name": "mx.example.com",
            }
            for host, weight in zip(smart_hosts, (3, 1), strict=True)
        ]
        content["systems"][0]["networks"].append("127.0.0.1/32")  # smtp-source cannot choose its address
        content["egress"] = {"host_down": "1s", "host_down_longest": "2s", "retry": {"first": "1s", "longest": "5s"}}

    with demo_gateway.running(place / "gateway", alter=with_postfix) as running:
        yield running


def arrivals(*hosts: Postfix) -> Counter[tuple[str, str]]:
    """Return how often each message came, by subject and recipient (smtp-source numbers its recipients)."""
    messages = (message_from_bytes(path.read_bytes()) for host in hosts for path in host.delivered())
    return Counter((str(message["Subject"]), str(message["Delivered-To"])) for message in messages)


def test_swaks_reaches_postfix_over_verified_tls(
    gateway: demo_gateway.Gateway, smart_hosts: tuple[Postfix, Postfix]
) -> None:
    command = ["swaks", "--server", "127.0.0.1", "--port", str(gateway.port), "--local-interface", "127.0.1.1", "--tls"]
    command += [
        "--from",
        "anna.schmidt@notes.example.com",
        "--to",
        "john.doe@example.com",
        "--header",
        "Subject: swaks",
    ]
    talk = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    assert "queued as" in talk
    eventually(lambda: bool(arrivals(*smart_hosts)), 20)
    (path,) = [path for host in smart_hosts for path in host.delivered()]
    assert b"using TLSv1.3" in path.read_bytes()


def load(gateway: demo_gateway.Gateway, messages: int, prefix: str) -> subprocess.Popen[bytes]:
    command = ["smtp-source", "-s", "10", "-m", str(messages), "-l", "5120", "-N", "-S", prefix]
    command += ["-f", "anna.schmidt@notes.example.com", "-t", "john.doe@example.com", f"inet:127.0.0.1:{gateway.port}"]
    return subprocess.Popen(command)


def test_weights_hold_and_a_killed_smart_host_loses_nothing(
    gateway: demo_gateway.Gateway, smart_hosts: tuple[Postfix, Postfix]
) -> None:
    heavy, light = smart_hosts
    began = time.monotonic()
    assert load(gateway, MESSAGES, "both").wait(300) == 0
    eventually(lambda: len(heavy.delivered()) + len(light.delivered()) >= MESSAGES, 120)
    seconds = time.monotonic() - began
    share = len(heavy.delivered()) / MESSAGES
    sys.stdout.write(f"{MESSAGES} in {seconds:.1f} s; share of the 3:1 host {share:.3f}\n")
    assert abs(share - 0.75) < 4 * (0.75 * 0.25 / MESSAGES) ** 0.5, "four standard deviations of a binomial share"

    sending = load(gateway, MESSAGES, "killed")
    eventually(lambda: len(heavy.delivered()) + len(light.delivered()) > MESSAGES * 5 // 4, 60)
    heavy.kill()
    during = len(light.delivered())
    eventually(lambda: len(light.delivered()) > during + 100, 60)  # the other host takes over
    heavy.start()
    assert sending.wait(300) == 0
    before = len(heavy.delivered())
    assert load(gateway, 200, "after").wait(60) == 0
    total = 2 * MESSAGES + 200
    eventually(lambda: len(arrivals(heavy, light)) >= total, 60)
    arrived = arrivals(heavy, light)
    duplicates = sum(arrived.values()) - len(arrived)
    sys.stdout.write(f"after the kill: {len(arrived)} of {total} arrived, {duplicates} duplicates\n")
    assert len(arrived) == total
    assert len(heavy.delivered()) > before, "the revived host is used again"
