"""The header of the message that carries a stream: senders omit these facts from the stream."""

from __future__ import annotations

from dataclasses import dataclass, replace

from services.transform.tnef.message import Person, TnefMessage


@dataclass(frozen=True, slots=True)
class Carrier:
    """Facts from the header.

    sender: of From. delegate: of Sender, if another person sent it on their behalf. recipients: of To and Cc. subject:
    decoded. in_reply_to: raw.
    """

    sender: Person | None = None
    recipients: tuple[Person, ...] = ()
    subject: str = ""
    in_reply_to: str = ""
    delegate: Person | None = None

    def completed(self, message: TnefMessage) -> tuple[Carrier, TnefMessage]:
        """Return both, each completed from the other.

        The header's addresses are Internet addresses for certain, while the stream's may be Exchange's own; the
        stream's recipients, where it lists them, are all of the meeting's.
        """
        sender = self.sender if self.sender and self.sender.address else message.sender or self.sender
        addressed = tuple(person for person in message.recipients if person.address)
        subject = message.subject or self.subject
        return replace(self, sender=sender, recipients=addressed or self.recipients, subject=subject), replace(
            message, subject=subject
        )


def carrier_of(message: TnefMessage) -> Carrier:
    """Return the facts of a stream itself, as for an attached message."""
    return Carrier(message.sender, message.recipients, message.subject)
