from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.conversion import growth
from bench.figures import Spread, Target, percentile, table

NUMBERS = st.lists(st.floats(min_value=-1e9, max_value=1e9), min_size=1)


@given(NUMBERS, st.sampled_from([0.01, 0.5, 0.99, 1.0]))
def test_a_percentile_is_the_least_value_that_so_many_do_not_exceed(values: list[float], fraction: float) -> None:
    found = percentile(values, fraction)
    assert found in values
    assert sum(value <= found for value in values) >= fraction * len(values) - 1e-9
    assert sum(value < found for value in values) < fraction * len(values)


@given(NUMBERS)
def test_a_median_lies_in_its_spread(values: list[float]) -> None:
    spread = Spread.of(values)
    assert spread.least <= spread.median <= spread.most


@pytest.mark.parametrize(
    ("figure", "at_least", "is_met"),
    [(2.0, True, True), (1.99, True, False), (2.0, False, True), (2.01, False, False)],
)
def test_a_target_is_met_at_its_bound(figure: float, at_least: bool, is_met: bool) -> None:
    assert Target("rate", figure, 2.0, at_least=at_least).is_met is is_met


def test_a_table_has_as_many_cells_in_each_line() -> None:
    lines = table(("name", "rate"), [("one", 1), ("another", 1000)]).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert {line.count("|") for line in lines} == {3}


@given(st.floats(min_value=0.5, max_value=3))
def test_growth_is_one_where_time_grows_as_the_message_does(power: float) -> None:
    series = [[float(2**n), 1e-6 * 2.0 ** (n * power)] for n in range(12)]
    assert (growth(series) > 1.01) == (power > 1 + 0.005)
