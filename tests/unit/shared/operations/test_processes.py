"""How long a child that dies again and again waits."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shared.operations.processes import FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS, restart_wait


def test_each_failure_doubles_the_wait() -> None:
    assert [restart_wait(failures) for failures in (1, 2, 3)] == [0.5, 1.0, 2.0]


@given(st.integers(1, 10_000))
def test_the_wait_grows_and_has_an_end(failures: int) -> None:
    assert FIRST_WAIT_SECONDS <= restart_wait(failures) <= restart_wait(failures + 1) <= LONGEST_WAIT_SECONDS
