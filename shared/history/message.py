"""What happens to a message: it is accepted, converted, and now and then interrupted, parked, replayed or discarded."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from shared.history.base import Event, HistoryEvent, moment
from shared.history.reasons import ParkReason
from shared.mail.envelope import Envelope


@dataclass(frozen=True, slots=True)
class MessageAccepted(HistoryEvent):
    """A message is in the spool, durable: from a client, or made by the gateway itself (`parent`).

    system: where it came from. client: IP address of the SMTP client. tls: its TLS version and cipher, None without.
    sender: None is the null sender. recipients: as the client gave them. bytes: size of the original. parent: the id of
    the delivery or message that a report or an extra message was made for.
    """

    name = "message.accepted"

    system: str
    client: str
    bytes: int
    sender: str | None
    recipients: tuple[str, ...]
    tls: str | None = None
    parent: str | None = None


def message_accepted(envelope: Envelope, size: int, parent: str | None = None) -> MessageAccepted:
    """Return the event of accepting a message of `size` bytes."""
    return MessageAccepted(
        id=envelope.id,
        at=moment(envelope.received_at),
        system=envelope.source,
        client=envelope.client.address,
        bytes=size,
        sender=envelope.sender,
        recipients=tuple(recipient.address for recipient in envelope.recipients),
        tls=envelope.client.tls,
        parent=parent,
    )


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """One delivery that conversion made. recipients: their public addresses. edits: how many.

    id: where it is not the message's id, "-" and the system.
    """

    system: str
    recipients: tuple[str, ...]
    edits: int = 0
    id: str | None = None


@dataclass(frozen=True, slots=True)
class MessageConverted(HistoryEvent):
    """A message was converted: one delivery per destination system.

    messages: ids of the reports and extra messages that were made with it. unrouted: public addresses without a route.
    """

    name = "message.converted"

    deliveries: tuple[NewDelivery, ...] = ()
    messages: tuple[str, ...] = ()
    unrouted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MessageCrashed(HistoryEvent):
    """Conversion met a bug or its time limit; it is tried again, at most `max_crashes` times. crashes: so far.

    cause: in one line; the log has the traceback as well.
    """

    name = "message.crashed"
    level = logging.ERROR

    cause: str
    crashes: int


@dataclass(frozen=True, slots=True)
class MessageInterrupted(HistoryEvent):
    """A message's lease expired: its worker died or hung. It goes back to the queue, and a crash is counted."""

    name = "message.interrupted"
    level = logging.WARNING


@dataclass(frozen=True, slots=True)
class MessageParked(HistoryEvent):
    """A message became a dead letter before it was converted. detail: for people."""

    name = "message.parked"
    level = logging.ERROR

    reason: ParkReason
    detail: str


@dataclass(frozen=True, slots=True)
class MessageReplayed(HistoryEvent):
    """A dead letter that was never converted goes back to be converted."""

    name = "message.replayed"


@dataclass(frozen=True, slots=True)
class MessageDiscarded(HistoryEvent):
    """A dead letter that was never converted was removed for good."""

    name = "message.discarded"


@dataclass(frozen=True, slots=True)
class MessageStale(Event):
    """A conversion was not written: the lease was lost, or another conversion changed the meeting meanwhile.

    id: of the message.
    """

    name = "message.stale"
    level = logging.WARNING

    id: str
