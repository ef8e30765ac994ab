"""A delivery: the part of a message that goes to one system, with the state of each of its recipients."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

from shared.mail.compact_json import without_defaults, write_json
from shared.mail.envelope import BodyType, Notify
from shared.mail.reply import Reply

RecipientState = Literal["pending", "delivered", "refused", "expired"]


@dataclass(frozen=True, slots=True)
class DeliveryRecipient:
    """One recipient of a delivery.

    original: the address as the client gave it in RCPT TO. public: its public form (for reports).
    address: for RCPT TO at the destination. reply, host, remote_id: of the last attempt; remote_id once delivered.
    """

    original: str
    public: str
    address: str
    notify: tuple[Notify, ...] = ()
    orcpt: str | None = None
    state: RecipientState = "pending"
    reply: Reply | None = None
    host: str | None = None
    remote_id: str | None = None
    ambiguous: bool = False


@dataclass(frozen=True, slots=True)
class Delivery:
    """One delivery of one message to one system.

    id: `<message id>-<system>`. sender: the public envelope sender, None the null sender. size: bytes of the original.
    attempts: finished attempts. created_at, received_at, next_attempt_at: seconds since the epoch. delay_reported:
    whether the sender got a delay report.
    """

    id: str
    message_id: str
    source: str
    system: str
    sender: str | None
    recipients: tuple[DeliveryRecipient, ...]
    size: int
    received_at: float
    created_at: float
    body: BodyType = "7BIT"
    smtputf8: bool = False
    ret: Literal["FULL", "HDRS"] | None = None
    envid: str | None = None
    attempts: int = 0
    next_attempt_at: float | None = None
    delay_reported: bool = False

    @property
    def pending(self) -> tuple[DeliveryRecipient, ...]:
        """The recipients whose outcome is still open."""
        return tuple(recipient for recipient in self.recipients if recipient.state == "pending")

    def to_json(self) -> str:
        """Return the delivery as JSON; `from_json` restores an equal value."""
        recipients = [_recipient_json(recipient) for recipient in self.recipients]
        return write_json({**without_defaults(self), "recipients": recipients})

    @classmethod
    def from_json(cls, text: str | bytes) -> Delivery:
        """Restore a delivery written by `to_json`."""
        data = json.loads(text)
        return cls(**{**data, "recipients": tuple(_recipient(recipient) for recipient in data["recipients"])})


def _recipient_json(recipient: DeliveryRecipient) -> dict[str, Any]:
    data = without_defaults(recipient)
    if recipient.reply:
        data["reply"] = without_defaults(recipient.reply)
    return data


def _recipient(data: dict[str, Any]) -> DeliveryRecipient:
    reply = Reply(**data["reply"]) if data.get("reply") else None
    return DeliveryRecipient(**{**data, "notify": tuple(data.get("notify", ())), "reply": reply})
