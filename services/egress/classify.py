"""What a reply, or its absence, means for a recipient, a message and a host. Pure.

Trouble with the host (no connection, no TLS, a bad greeting, 421) says nothing about the message: another host may take
it, and the host is marked down. A 4yz reply to MAIL sends the message to another host without a mark, as does a host at
its limit. A reply to RCPT is about the recipient, one to DATA or the content about the message. Anything unknown is
temporary.
"""

from __future__ import annotations

import re
import ssl
from enum import Enum

from shared.mail.outcome import Deferred, Delivered, Outcome, Refused
from shared.mail.reply import Reply
from shared.operations.tls_errors import meaning


class Trouble(Enum):
    """What a failure that says nothing about the recipients says about the host."""

    HOST = "host"
    """The host cannot be used: mark it down, try the next."""
    SESSION = "session"
    """The host does not take this message now: try the next, without a mark."""
    LIMIT = "limit"
    """The host was not asked, since it is at a limit of ours: it remains a candidate for this message."""


SHUTTING_DOWN = 421
BAD_SEQUENCE = 503
AUTHENTICATION_REQUIRED = 530


def session_trouble(reply: Reply) -> Trouble | None:
    """Return what a reply to MAIL says about the host; None where it is about the message.

    530 (RFC 3207 section 4, RFC 4954 section 6) asks for TLS or a login that our settings lack, 503 says that host and
    gateway are out of step; the message is not at fault.
    """
    if reply.code == SHUTTING_DOWN:
        return Trouble.HOST
    if reply.code in {BAD_SEQUENCE, AUTHENTICATION_REQUIRED} or not (reply.is_positive or reply.is_permanent):
        return Trouble.SESSION
    return None


def outcome(recipient: str, reply: Reply, host: str | None, *, takes_reports: bool = False) -> Outcome:
    """Return what a reply makes of one recipient. takes_reports: the host took over the sender's wish for reports."""
    if reply.is_positive:
        return Delivered(recipient, reply, host or "", remote_queue_id(reply.text), takes_reports)
    if reply.is_permanent:
        return Refused(recipient, reply, host)
    return Deferred(recipient, reply, host)


def failure_reply(error: BaseException, after: str | None = None) -> Reply:
    """Return the reply to record for a connection that failed or broke (RFC 3463 codes); always temporary.

    after: what had been sent last, in the words of Postfix' log: CONNECT, a command, or END-OF-MESSAGE; None while
    there was no connection.
    """
    match error:
        case ssl.SSLCertVerificationError():
            return Reply(454, f"certificate not trusted: {getattr(error, 'verify_message', error)}", "4.7.5")
        case ssl.SSLError():  # one that OpenSSL did not raise has no reason
            return Reply(454, f"TLS handshake failed: {meaning(error, 'host', 'the smart host')}", "4.7.0")
        case TimeoutError() if after:
            return Reply(451, f"timed out after {after}", "4.4.2")
        case TimeoutError():
            return Reply(451, "connection timed out", "4.4.1")
        case ConnectionRefusedError():
            return Reply(451, "connection refused", "4.4.1")
        case ConnectionError() | EOFError() if after == "STARTTLS":
            hint = "it may have no TLS version or cipher in common with us: see tls_minimum and ciphers"
            return Reply(451, f"lost connection after STARTTLS: {hint}", "4.4.2")
        case ConnectionError() | EOFError():
            return Reply(451, f"lost connection after {after or 'CONNECT'}", "4.4.2")
        case OSError() if after:
            return Reply(451, f"lost connection after {after}: {error.strerror or error}", "4.4.2")
        case OSError():
            return Reply(451, f"cannot connect: {error.strerror or error}", "4.4.1")
        case _:
            return Reply(451, f"{type(error).__name__}: {error}", "4.3.0")


_NUMBERED = r"(?=[\w.@+=-]*\d)[\w.@+=-]++"  # a word with a digit in it, found in linear time
_QUEUE_IDS = (
    re.compile(
        r"<(?P<id>[^<>\s]+)>\s+\[InternalId=", re.IGNORECASE
    ),  # Exchange: <message id> [InternalId=…] Queued mail …
    re.compile(r"\bqueued(?:\s+mail)?\s+as\s+<?(?P<id>[\w.@+/=-]+)>?", re.IGNORECASE),  # Postfix, Haraka, Causeway
    re.compile(r"\bid=(?P<id>[\w-]+)", re.IGNORECASE),  # Exim: OK id=1abcde-000001-AB
    re.compile(rf"\A\s*+(?:ok:?+\s++)?+(?P<id>{_NUMBERED})\s++message accepted", re.IGNORECASE),  # Sendmail
    re.compile(rf"\bmessage accepted for delivery\W++(?P<id>{_NUMBERED})", re.IGNORECASE),
)


def remote_queue_id(text: str) -> str | None:
    """Return the queue id that a host names when it accepts a message; None for one that names none, such as Domino.

    The text is the reply's, without its codes. Exchange gives the message id as its queue id, with a number of its own.
    """
    for pattern in _QUEUE_IDS:
        if found := pattern.search(text):
            return found["id"]
    return None
