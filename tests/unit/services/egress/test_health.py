from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from services.egress.health import JITTER, WELL, Backoff, HostHealth, is_usable, next_health

BACKOFF = Backoff(first=30.0, longest=600.0, probe=45.0)


def failed(health: HostHealth, now: float = 0.0) -> HostHealth:
    return next_health(health, "failed", now, BACKOFF, Random(1))


def test_a_failed_host_is_down_for_longer_each_time_up_to_a_limit() -> None:
    health = WELL
    for wanted in (30, 60, 120, 240, 480, 600, 600):
        health = failed(health)
        assert wanted * (1 - JITTER) <= health.down_until <= wanted * (1 + JITTER)
        assert not is_usable(health)


def test_a_probe_that_succeeds_makes_usable_but_only_taken_mail_forgets_the_failures() -> None:
    answered = next_health(failed(failed(WELL)), "answered", 100.0, BACKOFF, Random(1))
    assert is_usable(answered)
    assert failed(answered).down_until > 90
    assert next_health(answered, "delivered", 100.0, BACKOFF, Random(1)) == WELL


def test_a_probe_under_way_keeps_the_host_down_for_everybody_else() -> None:
    probing = next_health(failed(WELL), "probing", 100.0, BACKOFF, Random(1))
    assert not is_usable(probing)
    assert probing.down_until == 145.0


@given(st.lists(st.sampled_from(["failed", "answered", "delivered", "probing"])), st.integers())
def test_a_mark_never_exceeds_the_longest(happened: list[str], seed: int) -> None:
    health, now = WELL, 1000.0
    for what in happened:
        health = next_health(health, what, now, BACKOFF, Random(seed))  # type: ignore[arg-type]
        assert health.down_until <= now + BACKOFF.longest * (1 + JITTER)
        assert is_usable(health) == (health.down_until == 0)
