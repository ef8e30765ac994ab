"""A mail transaction: what MAIL, RCPT and BDAT have given so far (RFC 5321 section 3.3)."""

from __future__ import annotations

from services.ingress import replies
from services.ingress.commands import Mail, Rcpt
from services.ingress.limits import Reservation
from services.ingress.receive_budget import ReceiveBudget
from services.ingress.replies import Refusal
from shared.mail.envelope import Client, Envelope, Recipient, new_message_id
from shared.mail.reply import Reply


class Transaction:
    """One message on its way in.

    source: the name of the client's system. reservation: of bytes, for its content. budget: of time, to receive it.
    chunks: what BDAT has brought, None before the first.
    """

    def __init__(
        self, mail: Mail, source: str, client: Client, reservation: Reservation, budget: ReceiveBudget
    ) -> None:
        self.mail = mail
        self.source = source
        self.client = client
        self.reservation = reservation
        self.budget = budget
        self.chunks: bytearray | None = None
        self._recipients: dict[str, Recipient] = {}

    @property
    def has_recipients(self) -> bool:
        """Whether a recipient was accepted."""
        return bool(self._recipients)

    def add(self, rcpt: Rcpt, max_recipients: int) -> Reply | Refusal:
        """Add a recipient. A repeated one keeps the parameters of its first RCPT."""
        if rcpt.address not in self._recipients:
            if len(self._recipients) >= max_recipients:
                return replies.TOO_MANY_RECIPIENTS
            given = rcpt.parameters
            self._recipients[rcpt.address] = Recipient(rcpt.address, given.notify, given.orcpt)
        return replies.RECIPIENT_OK

    def envelope(self, now: float) -> Envelope:
        """Return the envelope, under a new id. now: seconds since the epoch."""
        given = self.mail.parameters
        return Envelope(
            id=new_message_id(now),
            sender=self.mail.sender,
            recipients=tuple(self._recipients.values()),
            source=self.source,
            client=self.client,
            received_at=now,
            body=given.body,
            smtputf8=given.smtputf8,
            ret=given.ret,
            envid=given.envid,
        )

    def take_chunks(self) -> bytes:
        """Return what BDAT has brought and keep no copy; the transaction stays open."""
        assert self.chunks is not None
        content = bytes(self.chunks)
        self.chunks.clear()
        return content

    def end(self) -> None:
        """Release what was reserved."""
        self.chunks = None
        self.reservation.release()
