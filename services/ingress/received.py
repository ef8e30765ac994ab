"""The Received field (RFC 5321 section 4.4): the one that ingress prepends, and those that reveal a loop. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import format_datetime

from shared.mail.envelope import Envelope

MAX_HEADER_BYTES = 1_048_576
"""How much of a header is examined; every relay adds its field at the top."""

MAX_FOR_CHARACTERS = 300  # a header line holds 998 bytes (RFC 5322 section 2.1.1)

_UNSAFE = re.compile(r"[^A-Za-z0-9._:\[\]-]")
_FIELD = re.compile(rb"(?:\A|\r\n)Received[ \t]*+:([^\r\n]*(?:\r\n[ \t][^\r\n]*)*)", re.IGNORECASE)
_BY = re.compile(rb"(?:\A|\s)by\s+([^\s;()]+)", re.IGNORECASE)


def received(envelope: Envelope, hostname: str, *, extended: bool) -> bytes:
    """Return the field for a message, with its CRLF. extended: whether the client said EHLO.

    It names the recipient only where there is exactly one: recipients must not learn of each other.
    """
    client = envelope.client
    literal = f"[IPv6:{client.address}]" if ":" in client.address else f"[{client.address}]"
    lines = [
        f"Received: from {_UNSAFE.sub('_', client.helo)} ({literal})",
        f"by {hostname} (Causeway) with {_protocol(envelope, extended)}{_tls(client.tls)} id {envelope.id}",
    ]
    only = envelope.recipients[0].address if len(envelope.recipients) == 1 else ""
    if 0 < len(only) <= MAX_FOR_CHARACTERS:
        lines.append(f"for <{only}>")
    date = format_datetime(datetime.fromtimestamp(int(envelope.received_at), UTC))
    return ("\r\n\t".join(lines) + f";\r\n\t{date}\r\n").encode()


def _protocol(envelope: Envelope, extended: bool) -> str:
    """Return the name of the protocol as registered (RFC 3848, RFC 6531 section 4.3)."""
    if not extended:
        return "SMTP"
    return ("UTF8SMTP" if envelope.smtputf8 else "ESMTP") + ("S" if envelope.client.tls else "")


def _tls(facts: str | None) -> str:
    version, _, cipher = (facts or "").partition(" ")
    return f" ({version} cipher {cipher})" if facts else ""


def loops(content: bytes, hostname: str) -> tuple[int, int]:
    """Return how many Received fields the header has, and how many of them are by this host."""
    end = content.find(b"\r\n\r\n", 0, MAX_HEADER_BYTES)
    header = content[: MAX_HEADER_BYTES if end < 0 else end]
    fields = _FIELD.findall(header)
    own = hostname.lower().encode()
    by = [found[1].lower() for field in fields if (found := _BY.search(field))]
    return len(fields), by.count(own)
