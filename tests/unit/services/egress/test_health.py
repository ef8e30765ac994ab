from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from services.egress.health import JITTER, WELL, Backoff, HostHealth, has_run_out, is_usable, next_health

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


@given(st.integers(1, 12), st.floats(-7200, 7200), st.integers())
def test_however_the_clock_is_stepped_a_mark_lasts_no_longer_than_one_made_now(
    failures: int, step: float, seed: int
) -> None:
    """The same holds where another replica's clock is that much ahead or behind."""
    before = next_health(HostHealth(failures - 1), "failed", 1e9, BACKOFF, Random(seed))
    mark = before.down_until - 1e9
    longest = max(mark / (1 - JITTER) * (1 + JITTER), BACKOFF.probe)
    assert any(has_run_out(before, 1e9 + step + passed, BACKOFF) for passed in (0, longest + 1))


def test_a_mark_holds_until_it_has_run_out() -> None:
    health = next_health(WELL, "failed", 1e9, BACKOFF, Random(1))
    assert not has_run_out(health, 1e9, BACKOFF)
    assert not has_run_out(health, health.down_until - 1, BACKOFF)
    assert has_run_out(health, health.down_until, BACKOFF)


def test_a_mark_of_a_clock_an_hour_ahead_has_run_out() -> None:
    assert has_run_out(next_health(WELL, "failed", 1e9, BACKOFF, Random(1)), 1e9 - 3600, BACKOFF)
