"""Messages and deliveries for tests."""

from __future__ import annotations

import time

from shared.mail.delivery import Delivery, DeliveryRecipient
from shared.mail.envelope import Client, Envelope, Message, Recipient, new_message_id

CONTENT = b"From: a@example.com\r\nTo: b@example.com\r\nSubject: x\r\n\r\nHello\r\n"

_PART = b"--b\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\nx\r\n"
SLOW = (
    b'From: a@example.com\r\nBcc: x@example.com\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n'
    + _PART * 9_900
    + b"--b\r\nContent-Type: application/x-lotus-encap2\r\n\r\n--b--\r\n"
)
"""A message within all limits that takes some tenths of a second to convert."""


def message(*recipients: str, sender: str | None = "a@example.com", content: bytes = CONTENT) -> Message:
    """Return a message of a new id from the system `notes`."""
    now = time.time()
    envelope = Envelope(
        id=new_message_id(now),
        sender=sender,
        recipients=tuple(Recipient(recipient) for recipient in recipients or ("b@example.com",)),
        source="notes",
        client=Client("127.0.0.1", "client.example.com"),
        received_at=now,
    )
    return Message(envelope, content)


def delivery(envelope: Envelope, system: str = "exchange", size: int = len(CONTENT)) -> Delivery:
    """Return a delivery of all recipients of a message to one system."""
    return Delivery(
        id=f"{envelope.id}-{system}",
        message_id=envelope.id,
        source=envelope.source,
        system=system,
        sender=envelope.sender,
        recipients=tuple(
            DeliveryRecipient(recipient.address, recipient.address, recipient.address)
            for recipient in envelope.recipients
        ),
        size=size,
        received_at=envelope.received_at,
        created_at=envelope.received_at,
    )
