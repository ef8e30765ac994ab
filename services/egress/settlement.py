"""From the outcomes of an attempt to what the spool is to write, with the delivery reports built."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from random import Random

from services.egress.attempt import Attempt
from services.egress.conclude import Finish, Park, Policy, Report, RetryAt, conclude
from shared.configuration.settings import Settings
from shared.mail.delivery import Delivery
from shared.mail.edits import apply
from shared.mail.envelope import new_message_id
from shared.mail.outcome import Deferred, Outcome
from shared.mail.report import build_report
from shared.operations import metrics
from shared.operations.events import emit
from shared.spool.lease import LeasedDelivery
from shared.spool.settle import Crashed, Dead, Finished, Retry, Settlement

MISSING_CONTENT = "missing_content"


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
    match actions[-1]:
        case RetryAt(at=at, reason=reason):
            unserved = any(isinstance(one, Deferred) and one.unserved for one in outcomes)
            return Retry(leased.lease, max(at - now, 0.0), delivery, reports, reason, seconds if unserved else None)
        case Park(reason=parked, detail=detail):
            return Dead(leased.lease, parked, detail, delivery, reports)
        case Finish() | Report():
            return Finished(leased.lease, delivery, reports)


def without_content(leased: LeasedDelivery) -> Settlement:
    """Return the settlement of a delivery whose content is gone: a dead letter, since nothing can be sent."""
    return Dead(leased.lease, MISSING_CONTENT, "the original is no longer in the spool", leased.delivery)


def after_a_bug(
    leased: LeasedDelivery, attempt: Attempt, error: Exception, settings: Settings, *, now: float, random: Random
) -> Settlement:
    """Return the settlement of an attempt that ended in a bug of ours: it is repeated a bounded number of times.

    Where a host has decided something already, it becomes a dead letter with what is known: to begin again would send
    twice what was accepted.
    """
    cause = f"{type(error).__name__}: {error}"
    if not attempt.has_begun:
        return Crashed(leased.lease, cause)
    outcomes = attempt.interrupted()
    delivery, _ = conclude(leased.delivery, outcomes, now, policy_of(settings), random)
    return Dead(leased.lease, "crash", cause, delivery)


def log_settlement(before: Delivery, settlement: Settlement) -> None:
    """Write events and metrics of a settlement that was carried out."""
    if not isinstance(settlement, Finished | Retry | Dead) or not (after := settlement.delivery):
        return
    for earlier, one in zip(before.recipients, after.recipients, strict=True):
        if earlier.state != "pending":
            continue
        happened = "deferred" if one.state == "pending" else one.state
        level = logging.INFO if happened == "delivered" else logging.WARNING
        metrics.recipients.labels(after.system, happened).inc()
        emit(
            f"delivery.{happened}",
            after.id,
            level=level,
            system=after.system,
            recipient=one.public,
            host=one.host,
            reply=str(one.reply) if one.reply else None,
            remote_id=one.remote_id,
            ambiguous=one.ambiguous,
            retry_seconds=round(settlement.delay_seconds) if isinstance(settlement, Retry) else None,
        )
    for report in settlement.reports:
        emit("report.accepted", report.envelope.id, about=after.id, recipient=report.envelope.recipients[0].address)
    if isinstance(settlement, Dead):
        emit("delivery.parked", after.id, level=logging.ERROR, system=after.system, reason=settlement.reason)
    if not isinstance(settlement, Retry):
        metrics.delivery_seconds.labels(after.system).observe(max(time.time() - after.received_at, 0.0))
