"""What became of one recipient in one attempt: expected results as values.

Outcome = Delivered | Deferred | Refused. Anything unknown is Deferred.
"""

from __future__ import annotations

from dataclasses import dataclass

from shared.mail.reply import Reply


@dataclass(frozen=True, slots=True)
class Delivered:
    """The smart host took responsibility. `remote_id` is its queue id, where its reply names one.

    takes_reports: it supports DSN (RFC 3461), so it is the host that sends the reports that the sender asked for.
    """

    recipient: str
    reply: Reply
    host: str
    remote_id: str | None = None
    takes_reports: bool = False


@dataclass(frozen=True, slots=True)
class Deferred:
    """Not yet: try again.

    ambiguous: the connection broke after the final dot, so the host may have the message. unserved: no host took a
    decision about the recipient, so that a host's return is reason to try. retry_seconds: when, where the message was
    held back by a limit or a stop of ours; None where the retry schedule says it.
    """

    recipient: str
    reply: Reply
    host: str | None = None
    ambiguous: bool = False
    retry_seconds: float | None = None
    unserved: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """The smart host said no for good (5yz), or nothing could ever carry this message to it."""

    recipient: str
    reply: Reply
    host: str | None = None


Outcome = Delivered | Deferred | Refused
