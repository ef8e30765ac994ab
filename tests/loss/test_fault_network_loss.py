"""Packets are lost on every line at once: from clients, to Redis, to the smart host (`make test-loss`)."""

from __future__ import annotations

import json
import socket
import subprocess
from pathlib import Path

import pytest

from tests.support.faults import under_load
from tests.support.redis_server import RedisServer

RULES = """
table inet loss {
    chain input { type filter hook input priority 0; iif lo numgen random mod 100 < 2 counter drop; }
}
"""
"""Two packets of a hundred. Netfilter loses them where a kernel has no netem."""


@pytest.fixture
def lossy_loopback() -> None:
    """Make the loopback of this network namespace lossy; it ends with the namespace."""
    assert [name for _, name in socket.if_nameindex()] == ["lo"], "not in a namespace of its own: make test-loss"
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["nft", "--file", "-"], input=RULES, text=True, check=True)


def lost_packets() -> int:
    """Return how many packets were lost so far."""
    output = subprocess.run(["nft", "--json", "list", "ruleset"], capture_output=True, text=True, check=True).stdout
    (rule,) = [entry["rule"]["expr"] for entry in json.loads(output)["nftables"] if "rule" in entry]
    return int(next(part["counter"]["packets"] for part in rule if "counter" in part))


@pytest.mark.usefixtures("lossy_loopback")
def test_no_mail_is_lost_where_packets_are(tmp_path: Path) -> None:
    with RedisServer(tmp_path / "redis") as server:
        with under_load(tmp_path, {"url": server.url}) as trial:
            account = trial.account("2 % of packets lost on every line", trial.go_on())
            assert lost_packets() > 0
    assert (account.lost, account.reported, account.dead) == (set(), 0, 0)
    assert account.unexplained == set()
