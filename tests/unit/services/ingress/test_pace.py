"""Patience with the content of a message."""

from __future__ import annotations

import pytest

from services.ingress.pace import MIN_OCTETS_PER_SECOND, Pace

PATIENCE = 180.0


def test_single_octets_use_up_the_patience_once_and_not_each_time() -> None:
    pace = Pace(PATIENCE)
    waited = 0.0
    while pace.seconds_left:
        pace.note(1, 60)
        waited += 60
    assert waited == PATIENCE + 60


@pytest.mark.parametrize("seconds", [0.02, 1, 60])
def test_the_lowest_rate_may_go_on_for_ever(seconds: float) -> None:
    pace = Pace(PATIENCE)
    for _ in range(1000):
        pace.note(round(MIN_OCTETS_PER_SECOND * seconds), seconds)
    assert pace.seconds_left == pytest.approx(PATIENCE)


def test_a_pause_is_as_long_as_ever_after_a_part_that_was_worth_it() -> None:
    pace = Pace(PATIENCE)
    for _ in range(10):
        pace.note(0, 170)
        pace.note(100_000, 1)
        assert pace.seconds_left == PATIENCE


def test_no_haste_buys_a_longer_pause() -> None:
    pace = Pace(PATIENCE)
    pace.note(50_000_000, 1)
    assert pace.seconds_left == PATIENCE
