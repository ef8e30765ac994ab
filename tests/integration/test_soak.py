"""Scenarios of `make soak`, small: what is done gently to a gateway under load loses nothing and repeats nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bench.soak.__main__ import BY_NAME, soak, table

MINUTES = 0.1
RATE = 20


@pytest.mark.parametrize("name", ["roll", "scale"])
def test_replicas_come_and_go_under_load_and_every_message_arrives_once(name: str, tmp_path: Path) -> None:
    scenario = replace(BY_NAME[name], replicas={"ingress": 1, "transform": 1, "egress": 1})
    account = soak(scenario, tmp_path, MINUTES, RATE, seed=1)
    assert account.wrong == [], table([account])
    assert account.acknowledged == account.delivered + account.reported + account.dead
    assert (account.doubled_by_clients, account.doubled_by_gateway) == (0, 0)
    assert account.reported > 0
    assert account.faults >= 3
