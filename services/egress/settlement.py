"""From the outcomes of an attempt to what the spool is to write, with the delivery reports built."""

from __future__ import annotations

import time
from collections.abc import Sequence
from random import Random

from services.egress.attempt import Attempt
from services.egress.conclude import Finish, Park, Policy, Report, RetryAt, conclude
from shared.configuration.settings import Settings
from shared.history.attempt import attempted
from shared.mail.delivery import Delivery
from shared.mail.edits import apply
from shared.mail.envelope import new_message_id
from shared.mail.outcome import Deferred, Outcome
from shared.mail.report import build_report
from shared.operations import metrics
from shared.spool.lease import LeasedDelivery
from shared.spool.settlement import Crashed, Finished, Parked, Retry, Settlement


def policy_of(settings: Settings) -> Policy:
    """Return what the settings say about retries and refused mail."""
    return Policy(settings.egress.retry, settings.egress.refused)


def settlement_of(
    leased: LeasedDelivery,
    content: bytes,
    outcomes: Sequence[Outcome],
    settings: Settings,
    *,
    now: float,
    seconds: float,
    random: Random,
) -> Settlement:
    """Return the settlement of a leased delivery after an attempt, which took so many seconds."""
    delivery, actions = conclude(leased.delivery, outcomes, now, policy_of(settings), random)
    wanted = [action for action in actions if isinstance(action, Report)]
    public = apply(content, leased.edits) if wanted else b""
    reports = tuple(
        build_report(
            report.kind,
            delivery,
            report.recipients,
            public,
            hostname=settings.hostname,
            id=new_message_id(now),
            now=now,
            retry_until=report.retry_until,
        )
        for report in wanted
    )
    lease, before = leased.lease, leased.delivery
    match actions[-1]:
        case RetryAt(at=at):
            wait = max(at - now, 0.0)
            unserved = any(isinstance(outcome, Deferred) and outcome.unserved for outcome in outcomes)
            events = attempted(before, delivery, now, wait)
            return Retry(lease, wait, delivery, reports, events, seconds if unserved else None)
        case Park(reason=reason, detail=detail):
            return Parked(lease, reason, detail, delivery, reports, attempted(before, delivery, now))
        case Finish() | Report():
            return Finished(lease, delivery, reports, attempted(before, delivery, now))


def without_content(leased: LeasedDelivery) -> Settlement:
    """Return the settlement of a delivery whose content is gone: a dead letter, since nothing can be sent."""
    return Parked(leased.lease, "missing_content", "the original is no longer in the spool", leased.delivery)


def after_a_bug(
    leased: LeasedDelivery, attempt: Attempt, error: Exception, settings: Settings, *, now: float, random: Random
) -> Settlement:
    """Return the settlement of an attempt that ended in a bug of ours: it is repeated a bounded number of times.

    Where a host has decided something already, it becomes a dead letter with what is known: to begin again would send
    twice what was accepted.
    """
    cause = f"{type(error).__name__}: {error}"
    if not attempt.has_begun:
        return Crashed(leased.lease, cause, error)
    outcomes = attempt.interrupted()
    delivery, _ = conclude(leased.delivery, outcomes, now, policy_of(settings), random)
    events = attempted(leased.delivery, delivery, now)
    return Parked(leased.lease, "crash", cause, delivery, outcomes=events, error=error)


def count_settlement(before: Delivery, settlement: Settlement) -> None:
    """Count in the metrics what became of a delivery, once its settlement is written."""
    if not isinstance(settlement, Finished | Retry | Parked) or not (after := settlement.delivery):
        return
    for earlier, recipient in zip(before.recipients, after.recipients, strict=True):
        if earlier.state == "pending":
            outcome = "deferred" if recipient.state == "pending" else recipient.state
            metrics.recipients.labels(after.system, outcome).inc()
    if not isinstance(settlement, Retry):
        metrics.delivery_seconds.labels(after.system).observe(max(time.time() - after.received_at, 0.0))
