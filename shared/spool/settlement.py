"""Settlements: the result of a leased job, as values, and the events that are written with each."""

from __future__ import annotations

from dataclasses import dataclass, field

from shared.history.attempt import AttemptEvent
from shared.history.base import HistoryEvent, moment
from shared.history.delivery import DeliveryCrashed, DeliveryParked
from shared.history.message import MessageConverted, MessageCrashed, MessageParked
from shared.history.message import NewDelivery as NewDeliveryFacts
from shared.history.reasons import ParkReason
from shared.mail.delivery import Delivery
from shared.mail.edits import Edit
from shared.mail.envelope import Message
from shared.spool import keys
from shared.spool.lease import Lease
from shared.spool.memory import Remember


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """A delivery that conversion created, with the edits that its content needs."""

    delivery: Delivery
    edits: tuple[Edit, ...]


@dataclass(frozen=True, slots=True)
class Transformed:
    """The message is converted: one delivery per system. Without deliveries, it is finished.

    reports: reports and extra messages, accepted in the same write. memories: if another worker wrote one of them since
    it was recalled, this settlement is not written and the message is converted again. unrouted: public addresses of
    recipients without a route.
    """

    lease: Lease
    deliveries: tuple[NewDelivery, ...]
    reports: tuple[Message, ...] = ()
    memories: tuple[Remember, ...] = ()
    unrouted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Finished:
    """Every recipient of the delivery has its final outcome. outcomes: of each recipient in this attempt."""

    lease: Lease
    delivery: Delivery
    reports: tuple[Message, ...] = ()
    outcomes: tuple[AttemptEvent, ...] = ()


@dataclass(frozen=True, slots=True)
class Retry:
    """Try again after `delay_seconds`. delivery: its new state, if changed. outcomes: as in Finished.

    unserved_seconds: how long ago the attempt began, if no host was usable: it is retried when a host recovers.
    """

    lease: Lease
    delay_seconds: float
    delivery: Delivery | None = None
    reports: tuple[Message, ...] = ()
    outcomes: tuple[AttemptEvent, ...] = ()
    unserved_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Crashed:
    """Processing raised an unexpected exception: retried a bounded number of times, then a dead letter "crash".

    error: the exception, whose traceback is logged.
    """

    lease: Lease
    cause: str
    error: BaseException | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Parked:
    """A dead letter: kept with its reason until an administrator replays or discards it. outcomes: as in Finished.

    error: the unexpected exception, if any, whose traceback is logged.
    """

    lease: Lease
    reason: ParkReason
    detail: str
    delivery: Delivery | None = None
    reports: tuple[Message, ...] = ()
    outcomes: tuple[AttemptEvent, ...] = ()
    error: BaseException | None = field(default=None, compare=False)


Settlement = Transformed | Finished | Retry | Crashed | Parked


def events_of(settlement: Settlement, now: float, max_crashes: int) -> tuple[HistoryEvent, ...]:
    """Return the events to write to history and log with a settlement. now: seconds since the epoch."""
    match settlement:
        case Transformed():
            return (_converted(settlement, moment(now)),)
        case Finished(outcomes=outcomes) | Retry(outcomes=outcomes):
            return outcomes
        case Crashed(lease=lease, cause=cause):
            return _crashed(lease, cause, moment(now), max_crashes)
        case Parked(lease=lease, reason=reason, detail=detail, outcomes=outcomes):
            return (*outcomes, _parked(lease, moment(now), reason, detail))


def _converted(settlement: Transformed, at: float) -> MessageConverted:
    id = settlement.lease.id
    deliveries = [
        NewDeliveryFacts(
            new.delivery.system,
            tuple(recipient.public for recipient in new.delivery.recipients),
            len(new.edits),
            None if new.delivery.id == f"{id}-{new.delivery.system}" else new.delivery.id,
        )
        for new in settlement.deliveries
    ]
    messages = tuple(message.envelope.id for message in settlement.reports)
    return MessageConverted(id, at, tuple(deliveries), messages, settlement.unrouted)


def _crashed(lease: Lease, cause: str, at: float, max_crashes: int) -> tuple[HistoryEvent, ...]:
    crashes = lease.crashes + 1
    kind = MessageCrashed if lease.queue == keys.TRANSFORM else DeliveryCrashed
    crashed = kind(lease.id, at, cause, crashes)
    return (crashed,) if crashes < max_crashes else (crashed, _parked(lease, at, "crash", cause))


def _parked(lease: Lease, at: float, reason: ParkReason, detail: str) -> HistoryEvent:
    kind = MessageParked if lease.queue == keys.TRANSFORM else DeliveryParked
    return kind(lease.id, at, reason, detail)


def spooled_bytes(settlement: Settlement) -> int:
    """Return the approximate number of bytes of contents and edits that a settlement writes."""
    reports = 0 if isinstance(settlement, Crashed) else sum(len(report.content) for report in settlement.reports)
    if not isinstance(settlement, Transformed):
        return reports
    return reports + sum(len(edit.replacement) for new in settlement.deliveries for edit in new.edits)
