"""What is known of an attempt when it ends before its time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta
from random import Random

import pytest

from services.egress.attempt import STOPPED, Attempt, LeaseRanOutError
from services.egress.settlement import after_a_bug
from shared.configuration.settings import Settings
from shared.mail.delivery import Delivery
from shared.mail.outcome import Deferred, Delivered
from shared.mail.reply import Reply
from shared.spool.lease import Lease, LeasedDelivery
from shared.spool.settlement import Crashed, Parked

TAKEN = Delivered("b@x", Reply(250, "ok"), "h:25")


def after(attempt: Attempt, delivery: Delivery) -> Crashed | Parked:
    leased = LeasedDelivery(Lease("egress.exchange", "m1-exchange", "token", 0), delivery, ())
    ended = after_a_bug(leased, attempt, KeyError("x"), Settings(), now=delivery.created_at, random=Random(1))
    assert isinstance(ended, Crashed | Parked)
    return ended


def test_no_final_dot_goes_out_once_the_lease_may_be_anothers() -> None:
    with pytest.raises(LeaseRanOutError):
        Attempt(held_until=time.monotonic()).commit()
    with pytest.raises(asyncio.CancelledError):
        Attempt(given_up=True).commit()
    attempt = Attempt(held_until=time.monotonic() + timedelta(hours=1).total_seconds())
    attempt.commit()
    assert attempt.committed


def test_an_interrupted_attempt_keeps_what_is_known_and_doubts_the_rest_only_behind_a_final_dot(
    make_delivery: Callable[..., Delivery],
) -> None:
    pending = make_delivery("b@x", "c@x").pending
    attempt = Attempt()
    attempt.commit()
    attempt.learn([TAKEN])
    assert attempt.interrupted(pending) == (TAKEN, Deferred("c@x", STOPPED, retry_seconds=0.0))
    attempt.commit()
    assert attempt.interrupted(pending) == (TAKEN, Deferred("c@x", STOPPED, ambiguous=True))


def test_a_bug_of_ours_never_sends_again_what_a_host_has_taken(make_delivery: Callable[..., Delivery]) -> None:
    delivery = make_delivery("b@x", "c@x")
    assert isinstance(after(Attempt(), delivery), Crashed)
    attempt = Attempt()
    attempt.commit()
    attempt.learn([TAKEN])
    parked = after(attempt, delivery)
    assert isinstance(parked, Parked)
    assert parked.delivery
    assert [one.state for one in parked.delivery.recipients] == ["delivered", "pending"]
