"""What happens to a delivery apart from its attempts: interrupted, parked, replayed, discarded, its lease lost."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from shared.history.base import Event, HistoryEvent
from shared.history.reasons import ParkReason


@dataclass(frozen=True, slots=True)
class DeliveryCrashed(HistoryEvent):
    """An attempt met a bug before anything was sent; it is tried again, at most `max_crashes` times. crashes: so far.

    cause: in one line; the log has the traceback as well.
    """

    name = "delivery.crashed"
    level = logging.ERROR

    cause: str
    crashes: int


@dataclass(frozen=True, slots=True)
class DeliveryInterrupted(HistoryEvent):
    """A delivery's lease expired: its worker died or hung. It goes back to the queue, and a crash is counted.

    A smart host may have taken the message already: it may be sent twice.
    """

    name = "delivery.interrupted"
    level = logging.WARNING


@dataclass(frozen=True, slots=True)
class DeliveryParked(HistoryEvent):
    """A delivery became a dead letter. detail: for people."""

    name = "delivery.parked"
    level = logging.ERROR

    reason: ParkReason
    detail: str


@dataclass(frozen=True, slots=True)
class DeliveryReplayed(HistoryEvent):
    """A dead letter goes back to work. start: "delivery" as it was converted, "start" to be converted again."""

    name = "delivery.replayed"

    start: str = "delivery"


@dataclass(frozen=True, slots=True)
class DeliveryDiscarded(HistoryEvent):
    """A dead letter was removed for good."""

    name = "delivery.discarded"


@dataclass(frozen=True, slots=True)
class DeliveryStale(Event):
    """What became of an attempt was not written: the lease was lost. id: of the delivery."""

    name = "delivery.stale"
    level = logging.WARNING

    id: str


@dataclass(frozen=True, slots=True)
class DeliveryLeaseLost(Event):
    """A delivery's lease was lost while it was being sent. id: of the delivery.

    committed: the final dot was sent, so the attempt goes on; otherwise it was stopped.
    """

    name = "delivery.lease_lost"
    level = logging.WARNING

    id: str
    committed: bool
