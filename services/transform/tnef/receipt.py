"""Read receipts, as text and as disposition notifications (RFC 8098)."""

from __future__ import annotations

import re

from services.transform.tnef.carrier import Carrier
from services.transform.tnef.message import TnefMessage
from shared.mail.address import Address
from shared.mail.header import fold

_ORIGINAL_MESSAGE_ID = 0x1046
_MESSAGE_ID = re.compile(r"<[!-;=?-~]{1,900}>")


def is_receipt(message: TnefMessage) -> bool:
    """Whether the message is a receipt: of reading, or of deleting without reading."""
    return message.message_class.lower().endswith((".ipnrn", ".ipnnrn"))


def was_read(message: TnefMessage) -> bool:
    """Whether a receipt confirms that the message was read."""
    return message.message_class.lower().endswith(".ipnrn")


def notification(message: TnefMessage, carrier: Carrier) -> bytes | None:
    """Return the fields of message/disposition-notification; None if the message is not a receipt, or incomplete.

    Required are the reader (from the carrier's From) and the message id (from the stream or In-Reply-To).
    """
    reader = carrier.sender.address if carrier.sender else ""
    original = _MESSAGE_ID.search(message.properties.text(_ORIGINAL_MESSAGE_ID) or carrier.in_reply_to)
    if not is_receipt(message) or not original or not Address.is_valid(reader) or not reader.isascii():
        return None
    done = "displayed" if was_read(message) else "deleted"
    return (
        fold("Final-Recipient", f"rfc822; {reader}")
        + fold("Original-Message-ID", original[0])
        + fold("Disposition", f"manual-action/MDN-sent-automatically; {done}")
    )
