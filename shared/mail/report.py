"""Delivery reports: multipart/report of a text for people, fields for programs, and the original (RFC 6522, RFC 3464).

Only public addresses stand in a report. Where an address is not ASCII, the internationalised forms of RFC 6533 are
used. The null sender sends it and nobody answers it (RFC 3834).
"""

from __future__ import annotations

import re
from base64 import encodebytes
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from hashlib import sha256
from typing import Literal

from shared.mail.delivery import Delivery, DeliveryRecipient
from shared.mail.envelope import Client, Envelope, Message, Recipient
from shared.mail.reply import Reply

Kind = Literal["failed", "delayed", "relayed"]

MAX_RETURNED_OCTETS = 1_048_576
"""An original above this size is reported by its headers alone, even with RET=FULL."""

_HEADER_END = re.compile(rb"\r\n\r\n|\A\r\n")
_XTEXT = re.compile(r"\+([0-9A-F]{2})")
_TOLD_ADDRESS = re.compile(r"[^\s<>()\[\],;:\"@]+@[\w-]+(?:\.[\w-]+)*")
_LINE_LENGTH = 900  # bytes; RFC 5322 section 2.1.1 allows 998
_MAX_LINE_LENGTH = 998

_SUBJECTS: dict[Kind, str] = {
    "failed": "Undelivered Mail Returned to Sender",
    "delayed": "Delayed Mail (still being retried)",
    "relayed": "Successful Mail Delivery Report",
}
_EXPLANATIONS: dict[Kind, str] = {
    "failed": "Your message could not be delivered to the recipients below. It will not be tried again.",
    "delayed": "Your message has not been delivered to the recipients below yet. You need not send it again.",
    "relayed": "Your message was handed to a mail system that sends no confirmations of its own.",
}
_DEFAULT_STATUS: dict[Kind, str] = {"failed": "5.0.0", "delayed": "4.0.0", "relayed": "2.0.0"}
_EXPIRED_STATUS = "4.4.7"


def build_report(
    kind: Kind,
    delivery: Delivery,
    recipients: Sequence[DeliveryRecipient],
    content: bytes,
    *,
    hostname: str,
    id: str,
    now: float,
    retry_until: float | None = None,
) -> Message:
    """Return the report to the delivery's sender about some of its recipients.

    content: the original with public headers, as it was to be delivered. hostname: who reports. id: the report's spool
    id. now, retry_until: seconds since the epoch. Equal arguments give equal bytes. The envelope's source is the system
    that was delivered to, so that the report is routed back. Raises ValueError for the null sender.
    """
    if delivery.sender is None:
        raise ValueError("the null sender is never answered")
    wants_all = kind == "failed" and delivery.ret == "FULL" and len(content) <= MAX_RETURNED_OCTETS
    full = wants_all and _has_short_lines(content)  # RFC 2046 section 5.2.1 allows no base64 around a message
    fields = _fields(kind, delivery, recipients, hostname, retry_until)
    text = _text(kind, delivery, recipients, hostname, retry_until)
    international = not (fields + delivery.sender).isascii()
    digest = sha256(f"{delivery.id} {delivery.attempts} {kind}".encode()).hexdigest()[:32]
    status = "global-delivery-status" if international else "delivery-status"
    parts = (
        _part("text/plain; charset=utf-8", text.encode(), "Notification"),
        _part(f"message/{status}", fields.encode(), "Report"),
        _whole(content, delivery) if full else _headers(content),
    )
    boundary = _boundary(digest, parts)
    head = (
        f"Date: {_date(now)}\r\n"
        f"From: Mail Delivery System <MAILER-DAEMON@{hostname}>\r\n"
        f"To: {delivery.sender}\r\n"
        f"Subject: {_SUBJECTS[kind]}\r\n"
        f"Message-ID: <{digest}@{hostname}>\r\n"
        "Auto-Submitted: auto-replied\r\n"
        "MIME-Version: 1.0\r\n"
        f'Content-Type: multipart/report; report-type={status};\r\n boundary="{boundary}"\r\n'
    ).encode()
    body = b"".join(b"--%s\r\n%s\r\n" % (boundary.encode(), part) for part in parts)
    eight_bit = not (head.isascii() and body.isascii())
    encoding = b"Content-Transfer-Encoding: 8bit\r\n" if eight_bit else b""
    message = b"%s%s\r\n%s--%s--\r\n" % (head, encoding, body, boundary.encode())
    envelope = Envelope(
        id=id,
        sender=None,
        recipients=(Recipient(delivery.sender),),
        source=delivery.system,
        client=Client("127.0.0.1", hostname),
        received_at=now,
        body="8BITMIME" if eight_bit else "7BIT",
        smtputf8=international,
    )
    return Message(envelope, message)


def _whole(content: bytes, delivery: Delivery) -> bytes:
    international = delivery.smtputf8 and not _header(content).isascii()
    return _part("message/global" if international else "message/rfc822", content, "Original message")


def _headers(content: bytes) -> bytes:
    """Return the part with the original's headers; base64 where they are not ASCII, or too long for a line."""
    header = _header(content)
    if len(header) > MAX_RETURNED_OCTETS:
        header = b""
    if header.isascii() and _has_short_lines(header):
        return _part("text/rfc822-headers", header, "Original headers")
    encoded = b"\r\n".join(encodebytes(header).splitlines())
    kind = "text/rfc822-headers; charset=utf-8\r\nContent-Transfer-Encoding: base64"
    return _part(kind, encoded, "Original headers")


def _has_short_lines(text: bytes) -> bool:
    """Whether every line keeps RFC 5322 section 2.1.1: strict hosts refuse a message with a longer one."""
    return max(map(len, text.splitlines()), default=0) <= _MAX_LINE_LENGTH


def _header(content: bytes) -> bytes:
    found = _HEADER_END.search(content)
    return content[: found.start() + 2] if found and found.start() else b"" if found else content


def _part(kind: str, body: bytes, description: str) -> bytes:
    encoding = b"" if body.isascii() else b"Content-Transfer-Encoding: 8bit\r\n"
    return b"Content-Description: %s\r\nContent-Type: %s\r\n%s\r\n%s" % (
        description.encode(),
        kind.encode(),
        encoding,
        body,
    )


def _boundary(digest: str, parts: Sequence[bytes]) -> str:
    boundary = f"={digest}="
    while any(boundary.encode() in part for part in parts):
        boundary = f"={sha256(boundary.encode()).hexdigest()[:32]}="
    return boundary


def _fields(
    kind: Kind, delivery: Delivery, recipients: Sequence[DeliveryRecipient], hostname: str, retry_until: float | None
) -> str:
    """Return message/delivery-status (RFC 3464 section 2): fields of the message, then a group for each recipient."""
    shown = _shown(delivery)
    groups = [[f"Reporting-MTA: dns; {hostname}", f"Arrival-Date: {_date(delivery.received_at)}"]]
    if delivery.envid:
        groups[0].insert(0, f"Original-Envelope-Id: {_ascii(_from_xtext(delivery.envid))}")
    for recipient in recipients:
        group = [
            f"Final-Recipient: {_typed(recipient.public)}",
            f"Action: {kind}",
            f"Status: {_status(kind, recipient)}",
        ]
        if recipient.orcpt:
            group.insert(0, f"Original-Recipient: {_original(recipient.orcpt)}")
        if recipient.host:
            group.append(f"Remote-MTA: dns; {recipient.host.rpartition(':')[0] or recipient.host}")
        if recipient.reply:
            group.append(f"Diagnostic-Code: smtp; {_ascii(_diagnostic(recipient, recipient.reply, shown))}")
        if retry_until is not None:
            group.append(f"Will-Retry-Until: {_date(retry_until)}")
        groups.append(group)
    return "\r\n".join("\r\n".join(group) + "\r\n" for group in groups)


def _text(
    kind: Kind, delivery: Delivery, recipients: Sequence[DeliveryRecipient], hostname: str, retry_until: float | None
) -> str:
    shown = _shown(delivery)
    lines = [f"This is the mail system at {hostname}.", "", _EXPLANATIONS[kind]]
    if retry_until is not None:
        lines.append(f"It will be tried until {_date(retry_until)}.")
    lines.append(f"It was received on {_date(delivery.received_at)}.")
    for recipient in recipients:
        lines += ["", f"<{recipient.public}>"]
        if recipient.state == "expired":
            lines.append("    no delivery in the time allowed; the last answer was:")
        answer = (
            _diagnostic(recipient, recipient.reply, shown) if recipient.reply else "no mail server could be reached"
        )
        lines.append(f"    {recipient.host or hostname}: {answer}")
        if recipient.ambiguous:
            lines.append("    The connection broke at the very end, so the message may have arrived nevertheless.")
    return "\r\n".join(lines) + "\r\n"


def _status(kind: Kind, recipient: DeliveryRecipient) -> str:
    """Return the code of RFC 3463 for a recipient: 4.4.7 when it expired, else the host's, else its reply's class.

    A reply of another class than the report (354 where 250 was due) has no code to give.
    """
    if kind == "failed" and recipient.state == "expired":
        return _EXPIRED_STATUS
    reply = recipient.reply
    if reply is None or str(reply.code)[0] != _DEFAULT_STATUS[kind][0]:
        return _DEFAULT_STATUS[kind]
    return reply.enhanced or _DEFAULT_STATUS[kind]


def _diagnostic(recipient: DeliveryRecipient, reply: Reply, shown: Mapping[str, str]) -> str:
    """Return the host's answer on one line, with public addresses in place of those sent to the host.

    shown: public addresses by the addresses sent to the host, in lower case; it may name any recipient of the message.
    """
    text = re.sub(re.escape(recipient.address), lambda _: recipient.public, str(reply), flags=re.IGNORECASE)
    return _one_line(_TOLD_ADDRESS.sub(lambda found: shown.get(found[0].lower(), found[0]), text))


def _shown(delivery: Delivery) -> dict[str, str]:
    return {recipient.address.lower(): recipient.public for recipient in delivery.recipients}


def _typed(address: str) -> str:
    return f"{'rfc822' if address.isascii() else 'utf-8'}; {address}"


def _original(orcpt: str) -> str:
    kind, _, address = orcpt.partition(";")
    return _one_line(f"{kind}; {_from_xtext(address)}")


def _from_xtext(text: str) -> str:
    """Decode xtext (RFC 3461 section 4). What would not be printable stays encoded."""

    def character(found: re.Match[str]) -> str:
        decoded = chr(int(found[1], 16))
        return decoded if decoded.isascii() and decoded.isprintable() else found[0]

    return _XTEXT.sub(character, text)


def _one_line(text: str) -> str:
    printable = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(printable.split()).encode("utf-8", "replace")[:_LINE_LENGTH].decode("utf-8", "ignore")


def _ascii(text: str) -> str:
    return _one_line(text).encode("ascii", "replace").decode()


def _date(seconds: float) -> str:
    return format_datetime(datetime.fromtimestamp(int(seconds), UTC))
