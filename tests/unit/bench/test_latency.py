from __future__ import annotations

from pathlib import Path

import pytest

from bench.latency import arrivals, common_rate


@pytest.mark.parametrize(("ours", "theirs", "rate"), [(800, 500, 400), (800, 2000, 400), (1000, 500, 250)])
def test_both_are_compared_at_half_of_our_capacity_unless_they_cannot_bear_it(
    ours: float, theirs: float, rate: float
) -> None:
    assert common_rate(ours, theirs) == rate


def test_of_a_message_that_came_twice_the_first_arrival_counts(tmp_path: Path) -> None:
    path = tmp_path / "arrivals"
    path.write_text("7 10.5\n8 11.0\n7 12.0\n")
    assert arrivals(path) == {7: 10.5, 8: 11.0}
