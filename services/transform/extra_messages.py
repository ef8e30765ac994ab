"""Extra messages that a conversion sends beside the converted one, as messages of their own. Pure."""

from __future__ import annotations

from dataclasses import replace

from services.transform.pipeline import ExtraMessage
from shared.mail.delivery import Delivery
from shared.mail.envelope import Envelope, Message, Recipient, new_message_id


def as_message(extra: ExtraMessage, envelope: Envelope, delivery: Delivery, now: float) -> Message:
    """Return it with an envelope of its own: it comes from where the converted message came from.

    A notice has the null sender and is routed as if the destination had sent it, so that it can go back. The wishes for
    delivery reports are those of the converted message, and none for a notice.
    """
    wanted = {recipient.original for recipient in delivery.recipients}
    own = tuple(recipient for recipient in envelope.recipients if recipient.address in wanted)
    recipients = own if extra.recipients is None else tuple(Recipient(address) for address in extra.recipients)
    return Message(
        replace(
            envelope,
            id=new_message_id(now),
            sender=None if extra.is_notice else envelope.sender,
            source=delivery.system if extra.is_notice else envelope.source,
            recipients=recipients,
            body="7BIT" if extra.content.isascii() else "8BITMIME",
            received_at=now,
        ),
        extra.content,
    )
