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


def test_no_final_dot_goes_out_once_the_lease_may_be_anothers(make_delivery: Callable[..., Delivery]) -> None:
    delivery = make_delivery()
    with pytest.raises(LeaseRanOutError):
        Attempt(delivery, held_until=time.monotonic()).commit()
    attempt = Attempt(delivery, held_until=time.monotonic() + timedelta(hours=1).total_seconds())
    attempt.given_up = True
    with pytest.raises(asyncio.CancelledError):
        attempt.commit()
    attempt.given_up = False
    attempt.commit()
    assert attempt.committed


def test_an_interrupted_attempt_keeps_what_is_known_and_doubts_the_rest_only_behind_a_final_dot(
    make_delivery: Callable[..., Delivery],
) -> None:
    attempt = Attempt(make_delivery("b@x", "c@x"))
    attempt.commit()
    attempt.record([TAKEN])
    assert attempt.interrupted() == (TAKEN, Deferred("c@x", STOPPED, retry_seconds=0.0))
    attempt.commit()
    assert attempt.interrupted() == (TAKEN, Deferred("c@x", STOPPED, ambiguous=True))


def test_a_bug_of_ours_never_sends_again_what_a_host_has_taken(make_delivery: Callable[..., Delivery]) -> None:
    delivery = make_delivery("b@x", "c@x")
    assert isinstance(after(Attempt(delivery), delivery), Crashed)
    attempt = Attempt(delivery)
    attempt.commit()
    attempt.record([TAKEN])
    parked = after(attempt, delivery)
    assert isinstance(parked, Parked)
    assert parked.delivery
    assert [one.state for one in parked.delivery.recipients] == ["delivered", "pending"]


def test_the_ledger_knows_who_is_left(make_delivery: Callable[..., Delivery]) -> None:
    attempt = Attempt(make_delivery("b@x", "c@x", "d@x"))
    attempt.record([TAKEN])
    assert [recipient.address for recipient in attempt.left] == ["c@x", "d@x"]
    attempt.record([Delivered("d@x", Reply(250, "ok"), "h:25"), TAKEN])
    assert [recipient.address for recipient in attempt.left] == ["c@x"]
    completed = attempt.completed(lambda address: Deferred(address, STOPPED))
    assert {outcome.recipient for outcome in completed} == {"b@x", "c@x", "d@x"}
    assert completed[-1] == Deferred("c@x", STOPPED)
