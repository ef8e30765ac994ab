"""The time that ingress spends waiting for the content of a message."""

from __future__ import annotations

import pytest

from services.ingress.receive_budget import MIN_BYTES_PER_SECOND, ReceiveBudget

SECONDS = 180.0


def test_single_bytes_use_up_the_budget_once_and_not_each_time() -> None:
    budget = ReceiveBudget(SECONDS)
    waited = 0.0
    while budget.seconds_left:
        budget.record(1, 60)
        waited += 60
    assert waited == SECONDS + 60


@pytest.mark.parametrize("seconds", [0.02, 1, 60])
def test_the_lowest_rate_may_continue_for_ever(seconds: float) -> None:
    budget = ReceiveBudget(SECONDS)
    for _ in range(1000):
        budget.record(round(MIN_BYTES_PER_SECOND * seconds), seconds)
    assert budget.seconds_left == pytest.approx(SECONDS)


def test_a_large_part_restores_the_whole_budget() -> None:
    budget = ReceiveBudget(SECONDS)
    for _ in range(10):
        budget.record(0, 170)
        budget.record(100_000, 1)
        assert budget.seconds_left == SECONDS


def test_speed_never_raises_the_budget_above_its_start() -> None:
    budget = ReceiveBudget(SECONDS)
    budget.record(50_000_000, 1)
    assert budget.seconds_left == SECONDS
