"""What an attempt makes of a delivery: final outcomes, the next attempt, reports to the sender, a dead letter. Pure.

The last action is Finish, RetryAt or Park: the delivery ends, or waits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Literal

from services.egress.retry import delay_is_worth_a_report, next_attempt, next_turn
from shared.configuration.egress import RetrySettings
from shared.history.reasons import ParkReason
from shared.mail.delivery import Delivery, DeliveryRecipient
from shared.mail.outcome import Deferred, Delivered, Outcome, Refused
from shared.mail.report import Kind


@dataclass(frozen=True, slots=True)
class Policy:
    """The settings that decide: the retry schedule, and what becomes of refused mail."""

    retry: RetrySettings
    refused: Literal["report", "dead_letter", "both"] = "report"


@dataclass(frozen=True, slots=True)
class Finish:
    """Every recipient has a final outcome, and no person needs to look at the delivery."""


@dataclass(frozen=True, slots=True)
class RetryAt:
    """Try the pending recipients again. at: seconds since the epoch."""

    at: float


@dataclass(frozen=True, slots=True)
class Report:
    """Send the sender a report on these recipients. retry_until: for a delay, when delivery is given up."""

    kind: Kind
    recipients: tuple[DeliveryRecipient, ...]
    retry_until: float | None = None


@dataclass(frozen=True, slots=True)
class Park:
    """Keep the delivery as a dead letter."""

    reason: ParkReason
    detail: str


Action = Finish | RetryAt | Report | Park


def conclude(
    delivery: Delivery, outcomes: Sequence[Outcome], now: float, policy: Policy, random: Random
) -> tuple[Delivery, tuple[Action, ...]]:
    """Return the delivery after an attempt, and what to do. A pending recipient without an outcome stays pending."""
    by_address = {outcome.recipient: outcome for outcome in outcomes}
    after = [_after(recipient, by_address.get(recipient.address)) for recipient in delivery.recipients]
    pending = [recipient.address for recipient in after if recipient.state == "pending"]
    held_back = _held_back([by_address.get(address) for address in pending])
    attempts = delivery.attempts + (held_back is None)
    if held_back is not None:
        next_at = next_turn(held_back, delivery.created_at, now, policy.retry)
    else:
        next_at = next_attempt(attempts, delivery.created_at, now, policy.retry, random) if pending else None
    if next_at is None:
        after = [_expired(recipient) for recipient in after]
    concluded = replace(delivery, recipients=tuple(after), attempts=attempts, next_attempt_at=next_at)
    reports = _reports(delivery, concluded, by_address, now, policy)
    if any(report.kind == "delayed" for report in reports):
        concluded = replace(concluded, delay_reported=True)
    return concluded, (*reports, _end(concluded, policy))


def _held_back(outcomes: Sequence[Outcome | None]) -> float | None:
    """Return after how many seconds to try again where only a limit or a stop of ours prevented delivery, else None.

    It does not count as an attempt: no host has replied, so the retry schedule does not advance.
    """
    deferred = [outcome for outcome in outcomes if isinstance(outcome, Deferred)]
    waits = [outcome.retry_seconds for outcome in deferred if outcome.retry_seconds is not None]
    return max(waits) if waits and len(waits) == len(outcomes) else None


def _expired(recipient: DeliveryRecipient) -> DeliveryRecipient:
    return replace(recipient, state="expired") if recipient.state == "pending" else recipient


def _after(recipient: DeliveryRecipient, outcome: Outcome | None) -> DeliveryRecipient:
    if recipient.state != "pending":
        return recipient
    match outcome:  # once a host may have the message, every later outcome but Delivered remains ambiguous
        case None:
            return recipient
        case Delivered(reply=reply, host=host, remote_id=remote_id):
            return replace(recipient, state="delivered", reply=reply, host=host, remote_id=remote_id, ambiguous=False)
        case Refused(reply=reply, host=host):
            return replace(recipient, state="refused", reply=reply, host=host)
        case Deferred(reply=reply, host=host, ambiguous=ambiguous):
            return replace(recipient, reply=reply, host=host, ambiguous=ambiguous or recipient.ambiguous)


def _reports(
    before: Delivery, after: Delivery, outcomes: dict[str, Outcome], now: float, policy: Policy
) -> tuple[Report, ...]:
    """Return the reports to send (RFC 3461 section 5.2): NOTIFY is honoured, the null sender never gets one."""
    if after.sender is None:
        return ()
    changed = [
        recipient
        for recipient, earlier in zip(after.recipients, before.recipients, strict=True)
        if earlier.state == "pending"
    ]

    def where(wanted: Callable[[DeliveryRecipient], bool]) -> tuple[DeliveryRecipient, ...]:
        return tuple(recipient for recipient in changed if wanted(recipient))

    failed = where(lambda recipient: recipient.state in _failed_states(policy) and wants_failure(recipient))
    relayed = where(lambda recipient: "SUCCESS" in recipient.notify and _ends_here(outcomes.get(recipient.address)))
    delayed = where(lambda recipient: recipient.state == "pending" and wants_delay(recipient))
    reports = []
    if failed:
        reports.append(Report("failed", failed))
    if relayed:
        reports.append(Report("relayed", relayed))
    if delayed and not before.delay_reported and delay_is_worth_a_report(after.created_at, now, policy.retry):
        give_up_at = after.created_at + policy.retry.give_up.total_seconds()
        reports.append(Report("delayed", delayed, give_up_at))
    return tuple(reports)


def _failed_states(policy: Policy) -> tuple[str, ...]:
    return ("expired",) if policy.refused == "dead_letter" else ("expired", "refused")


def wants_failure(recipient: DeliveryRecipient) -> bool:
    """Return whether the sender wants failure reports: NOTIFY=FAILURE, or no NOTIFY at all."""
    return not recipient.notify or "FAILURE" in recipient.notify


def wants_delay(recipient: DeliveryRecipient) -> bool:
    """Return whether the sender wants delay reports: NOTIFY=DELAY; without NOTIFY a report is allowed, and sent."""
    return not recipient.notify or "DELAY" in recipient.notify


def _ends_here(outcome: Outcome | None) -> bool:
    return isinstance(outcome, Delivered) and not outcome.takes_reports


def _end(delivery: Delivery, policy: Policy) -> Action:
    if delivery.next_attempt_at is not None:
        return RetryAt(delivery.next_attempt_at)
    expired = [recipient for recipient in delivery.recipients if recipient.state == "expired"]
    refused = [recipient for recipient in delivery.recipients if recipient.state == "refused"]
    if expired:
        return Park("expired", _detail(expired))
    if refused and policy.refused != "report":
        return Park("refused", _detail(refused))
    # Without a sender there is no report: a person should see the failure, unless NOTIFY asked for silence.
    unreported = [recipient for recipient in refused if delivery.sender is None and wants_failure(recipient)]
    if unreported:
        return Park("undeliverable_report", _detail(unreported))
    return Finish()


def _detail(recipients: Sequence[DeliveryRecipient]) -> str:
    return "; ".join(f"{recipient.public}: {recipient.reply or 'no host answered'}" for recipient in recipients[:10])
