"""The envelope: sender and recipients of a message, how it was received, and the requested delivery reports."""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import dataclass, field
from typing import Literal

from shared.mail.compact_json import without_defaults, write_json

BodyType = Literal["7BIT", "8BITMIME", "BINARYMIME"]
Notify = Literal["NEVER", "SUCCESS", "FAILURE", "DELAY"]


def new_message_id(now: float | None = None) -> str:
    """Return a spool id: 12 hex digits of milliseconds since the epoch, then 10 random ones; sorts by time."""
    milliseconds = int((time.time() if now is None else now) * 1000)
    return f"{milliseconds:012x}{secrets.token_hex(5)}"


@dataclass(frozen=True, slots=True)
class Recipient:
    """One RCPT TO. `notify` empty means that the client gave no NOTIFY; `orcpt` is "type;address" (RFC 3461)."""

    address: str
    notify: tuple[Notify, ...] = ()
    orcpt: str | None = None


@dataclass(frozen=True, slots=True)
class Client:
    """The SMTP client a message came from. `tls` is e.g. "TLSv1.3 TLS_AES_256_GCM_SHA384", or None in the clear."""

    address: str
    helo: str
    tls: str | None = None
    certificate_name: str | None = None


@dataclass(frozen=True, slots=True)
class Envelope:
    """One accepted message's envelope.

    id: the spool id, also in the 250 reply. sender: None is the null sender `<>`. source: the system it came from.
    received_at: seconds since the epoch. ret and envid: the DSN parameters (RFC 3461), envid still in xtext.
    """

    id: str
    sender: str | None
    recipients: tuple[Recipient, ...]
    source: str
    client: Client
    received_at: float
    body: BodyType = "7BIT"
    smtputf8: bool = False
    ret: Literal["FULL", "HDRS"] | None = None
    envid: str | None = None

    def to_json(self) -> str:
        """Return the envelope as JSON; `from_json` restores an equal value."""
        recipients = [without_defaults(recipient) for recipient in self.recipients]
        return write_json({**without_defaults(self), "recipients": recipients, "client": without_defaults(self.client)})

    @classmethod
    def from_json(cls, text: str | bytes) -> Envelope:
        """Restore an envelope written by `to_json`."""
        data = json.loads(text)
        recipients = tuple(Recipient(**{**r, "notify": tuple(r.get("notify", ()))}) for r in data["recipients"])
        return cls(**{**data, "recipients": recipients, "client": Client(**data["client"])})


@dataclass(frozen=True, slots=True)
class Message:
    """A message as it was accepted: the envelope and the original bytes, CRLF line ends, never rewritten."""

    envelope: Envelope
    content: bytes = field(repr=False)
