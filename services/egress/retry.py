"""When a deferred delivery is tried again, and when it is given up (RFC 5321 section 4.5.4.1). Pure."""

from __future__ import annotations

from datetime import timedelta
from random import Random

from shared.configuration.egress import RetrySettings


def wait_seconds(attempts: int, retry: RetrySettings, random: Random) -> float:
    """Return how long to wait after so many attempts (1, 2, …): growing by `factor`, at most `longest`, ± jitter."""
    try:
        wait = min(retry.first.total_seconds() * retry.factor ** (max(attempts, 1) - 1), retry.longest.total_seconds())
    except OverflowError:
        wait = retry.longest.total_seconds()
    return wait * random.uniform(1 - retry.jitter, 1 + retry.jitter)


def next_attempt(attempts: int, begun_at: float, now: float, retry: RetrySettings, random: Random) -> float | None:
    """Return when to try again, or None once `give_up` has passed since `begun_at`. All in seconds since the epoch.

    The last attempt comes when `give_up` has passed, never later.
    """
    return next_turn(wait_seconds(attempts, retry, random), begun_at, now, retry)


def next_turn(wait: float, begun_at: float, now: float, retry: RetrySettings) -> float | None:
    """Return when `wait` seconds are over, or `give_up` if that is earlier; None once it has passed."""
    deadline = begun_at + retry.give_up.total_seconds()
    return None if now >= deadline else min(now + wait, deadline)


def delay_is_worth_a_report(begun_at: float, now: float, retry: RetrySettings) -> bool:
    """Return whether the sender is to get a delay report by now."""
    return timedelta(seconds=now - begun_at) >= retry.warn_after
