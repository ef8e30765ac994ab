"""The outcome of one attempt for one recipient, as a value.

Outcome = Delivered | Deferred | Refused. Anything unknown is Deferred.
"""

from __future__ import annotations

from dataclasses import dataclass

from shared.mail.reply import Reply


@dataclass(frozen=True, slots=True)
class Delivered:
    """The smart host accepted responsibility. remote_id: its queue id, if its reply contains one.

    takes_reports: the host supports DSN (RFC 3461), so it sends the reports that the sender requested.
    """

    recipient: str
    reply: Reply
    host: str
    remote_id: str | None = None
    takes_reports: bool = False


@dataclass(frozen=True, slots=True)
class Deferred:
    """Not delivered yet: try again.

    ambiguous: the connection broke after the final dot, so the host may have the message. unserved: no host replied
    for the recipient, so the delivery is retried when a host recovers. retry_seconds: when to retry, if a limit or a
    shutdown of the gateway held the message back; None to use the retry schedule.
    """

    recipient: str
    reply: Reply
    host: str | None = None
    ambiguous: bool = False
    retry_seconds: float | None = None
    unserved: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """The smart host rejected the recipient permanently (5yz), or the message can never be sent to it."""

    recipient: str
    reply: Reply
    host: str | None = None


Outcome = Delivered | Deferred | Refused
