"""A delivery: the part of a message that goes to one system, with the state of each of its recipients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from shared.mail.envelope import BodyType, Notify, as_json
from shared.mail.reply import Reply

RecipientState = Literal["pending", "delivered", "refused", "expired"]


@dataclass(frozen=True, slots=True)
class DeliveryRecipient:
    """One recipient of a delivery.

    original: the address as the client gave it in RCPT TO. public: the same as everybody may see it (for reports).
    address: what the destination is told. reply, host, remote_id: of the last attempt; remote_id once delivered.
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

    id: `<message id>-<system>`. sender: the public envelope sender, None the null sender. size: octets of the original.
    attempts: finished attempts. created_at, received_at, next_attempt_at: seconds since the epoch. delay_reported:
    whether the sender was told of the delay.
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

    def to_json(self) -> dict[str, Any]:
        """Return the delivery as JSON-ready data; `from_json` restores an equal value."""
        recipients = [{**as_json(one), "reply": one.reply and as_json(one.reply)} for one in self.recipients]
        return {**as_json(self), "recipients": recipients}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Delivery:
        """Restore a delivery written by `to_json`."""
        recipients = tuple(
            DeliveryRecipient(**{**r, "notify": tuple(r["notify"]), "reply": r["reply"] and Reply(**r["reply"])})
            for r in data["recipients"]
        )
        return cls(**{**data, "recipients": recipients})
