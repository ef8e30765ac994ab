from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.egress.conclude import Action, Finish, Park, Policy, Report, RetryAt, conclude
from shared.configuration.egress import RetrySettings
from shared.mail.delivery import Delivery, DeliveryRecipient
from shared.mail.outcome import Deferred, Delivered, Outcome, Refused
from shared.mail.reply import Reply

DAY = 86_400.0
POLICY = Policy(RetrySettings(jitter=0))
OK, LATER, NEVER = Reply(250, "ok", "2.0.0"), Reply(450, "busy", "4.2.0"), Reply(550, "unknown", "5.1.1")


def attempt(
    delivery: Delivery, *outcomes: Outcome, now: float = 0.0, policy: Policy = POLICY
) -> tuple[Delivery, tuple[Action, ...]]:
    return conclude(delivery, outcomes, now, policy, Random(1))


def delivered(address: str, *, takes_reports: bool = False) -> Delivered:
    return Delivered(address, OK, "h:25", "Q1", takes_reports)


@pytest.fixture
def make(make_delivery: Callable[..., Delivery]) -> Callable[..., Delivery]:
    return lambda *addresses, **changes: make_delivery(*addresses, **{"received_at": 0.0, **changes})


def test_a_delivered_delivery_is_finished_with_its_remote_id(make: Callable[..., Delivery]) -> None:
    after, actions = attempt(make("b@x"), delivered("b@x"))
    assert actions == (Finish(),)
    assert after.recipients[0].state == "delivered"
    assert after.recipients[0].remote_id == "Q1"


def test_one_recipient_may_be_delivered_one_refused_and_one_wait(make: Callable[..., Delivery]) -> None:
    outcomes = (delivered("a@x"), Refused("b@x", NEVER, "h:25"), Deferred("c@x", LATER, "h:25"))
    after, actions = attempt(make("a@x", "b@x", "c@x"), *outcomes)
    assert [one.state for one in after.recipients] == ["delivered", "refused", "pending"]
    assert actions == (Report("failed", (after.recipients[1],)), RetryAt(300.0))
    again, actions = attempt(after, delivered("c@x"), now=300.0)
    assert actions == (Finish(),), "what was reported is not reported again"
    assert again.attempts == 2


def test_a_recipient_without_an_outcome_waits(make: Callable[..., Delivery]) -> None:
    after, actions = attempt(make("a@x", "b@x"), delivered("a@x"))
    assert after.pending == (after.recipients[1],)
    assert isinstance(actions[-1], RetryAt)


def test_a_limit_of_ours_is_no_attempt_and_waits_for_seconds(make: Callable[..., Delivery]) -> None:
    before = make("a@x", "b@x", attempts=7)
    held_back = Deferred("b@x", LATER, retry_seconds=10.0)
    after, actions = attempt(before, delivered("a@x"), held_back, now=1000.0)
    assert actions == (RetryAt(1010.0),)
    assert (after.attempts, after.next_attempt_at) == (7, 1010.0)


def test_where_a_host_deferred_a_recipient_too_the_schedule_counts(make: Callable[..., Delivery]) -> None:
    outcomes = (Deferred("a@x", LATER, "h:25"), Deferred("b@x", LATER, retry_seconds=10.0))
    after, actions = attempt(make("a@x", "b@x"), *outcomes)
    assert (after.attempts, actions) == (1, (RetryAt(300.0),))


def test_what_a_limit_holds_back_is_given_up_as_other_mail(make: Callable[..., Delivery]) -> None:
    held_back = Deferred("a@x", LATER, retry_seconds=10.0)
    _, actions = attempt(make("a@x"), held_back, now=5 * DAY - 1)
    assert actions[-1] == RetryAt(5 * DAY)
    after, actions = attempt(make("a@x"), held_back, now=5 * DAY)
    assert after.recipients[0].state == "expired"
    assert isinstance(actions[-1], Park)


def test_two_recipients_with_one_address_share_its_outcome(make: Callable[..., Delivery]) -> None:
    both = (DeliveryRecipient("x@a", "x@a", "same@b"), DeliveryRecipient("y@a", "y@a", "same@b"))
    after, _ = attempt(replace(make(), recipients=both), delivered("same@b"))
    assert {one.state for one in after.recipients} == {"delivered"}


def test_an_expired_delivery_is_reported_and_parked(make: Callable[..., Delivery]) -> None:
    after, actions = attempt(make("b@x"), Deferred("b@x", LATER), now=5 * DAY)
    assert after.recipients[0].state == "expired"
    assert actions[0] == Report("failed", after.recipients)
    assert isinstance(actions[1], Park)
    assert actions[1].reason == "expired"


@pytest.mark.parametrize(
    ("refused", "reported", "parked"),
    [("report", True, False), ("dead_letter", False, True), ("both", True, True)],
)
def test_refused_mail_follows_the_setting(
    make: Callable[..., Delivery], refused: str, reported: bool, parked: bool
) -> None:
    policy = replace(POLICY, refused=refused)  # type: ignore[arg-type]
    _, actions = attempt(make("b@x"), Refused("b@x", NEVER), policy=policy)
    assert any(isinstance(action, Report) for action in actions) == reported
    assert isinstance(actions[-1], Park if parked else Finish)


def test_a_refused_recipient_is_parked_even_when_another_is_delivered_later(make: Callable[..., Delivery]) -> None:
    policy = replace(POLICY, refused="dead_letter")
    after, _ = attempt(make("a@x", "b@x"), Refused("a@x", NEVER), Deferred("b@x", LATER), policy=policy)
    _, actions = attempt(after, delivered("b@x"), now=300, policy=policy)
    assert isinstance(actions[-1], Park)


def test_refused_mail_of_the_null_sender_is_parked_and_never_answered(make: Callable[..., Delivery]) -> None:
    _, actions = attempt(make("b@x", sender=None), Refused("b@x", NEVER))
    assert [type(action) for action in actions] == [Park]
    assert isinstance(actions[0], Park)
    assert actions[0].reason == "undeliverable_report"


def test_notify_never_is_honoured(make: Callable[..., Delivery]) -> None:
    delivery = make("b@x", notify=("NEVER",))
    assert attempt(delivery, Refused("b@x", NEVER))[1] == (Finish(),)
    assert isinstance(attempt(delivery, Deferred("b@x", LATER), now=DAY)[1][0], RetryAt)
    assert attempt(delivery, delivered("b@x"))[1] == (Finish(),)


def test_a_delay_is_told_once_and_only_to_those_who_may_hear_of_it(make: Callable[..., Delivery]) -> None:
    delivery = make("b@x")
    early, actions = attempt(delivery, Deferred("b@x", LATER), now=3600)
    assert [type(action) for action in actions] == [RetryAt]
    late, actions = attempt(early, Deferred("b@x", LATER), now=4 * 3600)
    assert actions[0] == Report("delayed", late.recipients, 5 * DAY)
    assert late.delay_reported
    assert [type(action) for action in attempt(late, Deferred("b@x", LATER), now=DAY)[1]] == [RetryAt]
    failures_only = make("b@x", notify=("FAILURE",))
    assert [type(a) for a in attempt(failures_only, Deferred("b@x", LATER), now=DAY)[1]] == [RetryAt]


def test_success_is_reported_as_relayed_where_the_host_passes_nothing_on(make: Callable[..., Delivery]) -> None:
    delivery = make("b@x", notify=("SUCCESS",))
    after, actions = attempt(delivery, delivered("b@x"))
    assert actions == (Report("relayed", after.recipients), Finish())
    assert attempt(delivery, delivered("b@x", takes_reports=True))[1] == (Finish(),)


def test_a_doubt_about_the_final_dot_is_remembered_until_it_is_resolved(make: Callable[..., Delivery]) -> None:
    after, _ = attempt(make("b@x"), Deferred("b@x", LATER, "h:25", ambiguous=True))
    after, _ = attempt(after, Deferred("b@x", LATER), now=300)
    assert after.recipients[0].ambiguous
    assert attempt(after, Refused("b@x", NEVER), now=900)[0].recipients[0].ambiguous
    assert not attempt(after, delivered("b@x"), now=900)[0].recipients[0].ambiguous


addresses = ("a@x", "b@x", "c@x")
outcome_of = st.sampled_from(addresses).flatmap(
    lambda address: st.sampled_from(
        [delivered(address), delivered(address, takes_reports=True), Refused(address, NEVER), Deferred(address, LATER)]
    )
)
notifies = st.sampled_from([(), ("NEVER",), ("SUCCESS",), ("FAILURE", "DELAY"), ("SUCCESS", "FAILURE", "DELAY")])


@given(
    rounds=st.lists(st.tuples(st.lists(outcome_of, max_size=3), st.floats(0, 6 * DAY)), min_size=1, max_size=6),
    notify=notifies,
    sender=st.sampled_from([None, "s@x"]),
    refused=st.sampled_from(["report", "dead_letter", "both"]),
)
def test_every_settlement_ends_or_waits_and_never_changes_what_is_final(
    rounds: list[tuple[list[Outcome], float]], notify: tuple[str, ...], sender: str | None, refused: str
) -> None:
    recipients = tuple(DeliveryRecipient(one, one, one, notify) for one in addresses)  # type: ignore[arg-type]
    delivery = Delivery("m-s", "m", "n", "s", sender, recipients, 1, 0.0, 0.0)
    policy = Policy(RetrySettings(), refused)  # type: ignore[arg-type]
    told: list[str] = []
    for outcomes, now in rounds:
        after, actions = conclude(delivery, outcomes, now, policy, Random(1))
        assert conclude(delivery, outcomes, now, policy, Random(1)) == (after, actions)
        *reports, end = actions
        final = [one for one in reports if isinstance(one, Report) and one.kind != "delayed"]
        told += [one.address for report in final for one in report.recipients]
        assert len(told) == len(set(told))
        assert [one.address for one in after.recipients] == list(addresses)
        assert isinstance(end, Finish) <= all(one.state in {"delivered", "refused"} for one in after.recipients)
        silent = notify in {("NEVER",), ("SUCCESS",)}
        for one in after.recipients:
            lost = one.state == "expired" or (one.state == "refused" and refused == "report")
            if lost and not silent:
                assert one.address in told if sender else isinstance(end, Park | RetryAt)
        assert all(isinstance(report, Report) for report in reports)
        assert isinstance(end, RetryAt) == bool(after.pending)
        assert not (sender is None and reports)
        assert not ("NEVER" in notify and reports)
        for before, one in zip(delivery.recipients, after.recipients, strict=True):
            assert before.state == "pending" or before == one
        if not after.pending:
            break
        delivery = after
