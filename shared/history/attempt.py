"""The outcome of an attempt: one event for all recipients of a delivery that have the same outcome.

Recipients are public addresses. attempt: the number of attempts so far, with this one unless no smart host was asked.
host: "name:port" of the smart host. reply: its last reply, or the gateway's own text for a broken connection.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from shared.history.base import HistoryEvent, moment
from shared.mail.delivery import Delivery, DeliveryRecipient


@dataclass(frozen=True, slots=True)
class AttemptEvent(HistoryEvent):
    """What every such event has. id: of the delivery.

    ambiguous: a connection broke after the final dot, so the host may have the message.
    """

    system: str
    recipients: tuple[str, ...]
    attempt: int
    host: str | None = None
    reply: str | None = None
    ambiguous: bool = False


@dataclass(frozen=True, slots=True)
class DeliveryDelivered(AttemptEvent):
    """A smart host took responsibility for these recipients. remote_id: its queue id, where its reply names one."""

    name = "delivery.delivered"

    remote_id: str | None = None


@dataclass(frozen=True, slots=True)
class DeliveryDeferred(AttemptEvent):
    """These recipients are tried again in `retry_seconds`; without it, the delivery became a dead letter."""

    name = "delivery.deferred"
    level = logging.WARNING

    retry_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class DeliveryRefused(AttemptEvent):
    """A smart host refused these recipients for good."""

    name = "delivery.refused"
    level = logging.WARNING


@dataclass(frozen=True, slots=True)
class DeliveryExpired(AttemptEvent):
    """These recipients are given up: `give_up` has passed. reply: the last one."""

    name = "delivery.expired"
    level = logging.WARNING


def attempted(
    before: Delivery, after: Delivery, now: float, retry_seconds: float | None = None
) -> tuple[AttemptEvent, ...]:
    """Return what an attempt made of the recipients that were pending before it, those with the same outcome together.

    now: seconds since the epoch. retry_seconds: until the next attempt, None where there is none.
    """
    alike: dict[tuple[object, ...], list[DeliveryRecipient]] = {}
    for earlier, recipient in zip(before.recipients, after.recipients, strict=True):
        if earlier.state == "pending":
            fate = (recipient.state, recipient.host, recipient.reply, recipient.remote_id, recipient.ambiguous)
            alike.setdefault(fate, []).append(recipient)
    return tuple(_event(after, recipients, moment(now), retry_seconds) for recipients in alike.values())


def _event(
    after: Delivery, recipients: list[DeliveryRecipient], at: float, retry_seconds: float | None
) -> AttemptEvent:
    first = recipients[0]
    public = tuple(recipient.public for recipient in recipients)
    reply = str(first.reply) if first.reply else None
    common = (after.id, at, after.system, public, after.attempts, first.host, reply, first.ambiguous)
    match first.state:
        case "delivered":
            return DeliveryDelivered(*common, remote_id=first.remote_id)
        case "refused":
            return DeliveryRefused(*common)
        case "expired":
            return DeliveryExpired(*common)
        case "pending":
            return DeliveryDeferred(*common, None if retry_seconds is None else round(retry_seconds, 1))
