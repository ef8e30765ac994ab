from __future__ import annotations

from datetime import timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.egress.retry import delay_is_worth_a_report, next_attempt, wait_seconds
from shared.configuration.egress import RetrySettings

EVEN = RetrySettings(jitter=0)


@pytest.mark.parametrize(
    ("attempts", "minutes"), [(1, 5), (2, 10), (3, 20), (6, 160), (7, 240), (8, 240), (10**6, 240)]
)
def test_the_wait_doubles_up_to_the_longest(attempts: int, minutes: int) -> None:
    assert wait_seconds(attempts, EVEN, Random(1)) == minutes * 60


@given(st.integers(1, 5000), st.integers())
def test_jitter_stays_within_its_fraction(attempts: int, seed: int) -> None:
    plain = wait_seconds(attempts, EVEN, Random(1))
    assert 0.9 * plain <= wait_seconds(attempts, RetrySettings(jitter=0.1), Random(seed)) <= 1.1 * plain


def test_the_last_attempt_comes_when_the_time_is_up() -> None:
    end = EVEN.give_up.total_seconds()
    assert next_attempt(50, 0.0, end - 60, EVEN, Random(1)) == end
    assert next_attempt(51, 0.0, end, EVEN, Random(1)) is None


def test_a_schedule_ends() -> None:
    now, attempts, retry = 0.0, 0, RetrySettings(first=timedelta(minutes=5), give_up=timedelta(days=5))
    random = Random(3)
    while (following := next_attempt(attempts + 1, 0.0, now, retry, random)) is not None:
        assert following > now
        now, attempts = following, attempts + 1
    assert now == retry.give_up.total_seconds()
    assert 30 < attempts < 45


def test_a_delay_is_reported_from_warn_after_on() -> None:
    assert not delay_is_worth_a_report(0.0, 4 * 3600 - 1, EVEN)
    assert delay_is_worth_a_report(0.0, 4 * 3600, EVEN)
