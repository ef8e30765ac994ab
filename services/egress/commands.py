"""The commands and the content of one mail transaction, as one host supports it, and whom it cannot serve. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.egress.wire import terminated
from shared.errors import MalformedMessage
from shared.mail.address import domain_key
from shared.mail.delivery import Delivery, DeliveryRecipient
from shared.mail.downgrade import to_ascii_headers, to_seven_bit
from shared.mail.edits import apply
from shared.mail.line_length import wrap_long_lines
from shared.mail.outcome import Outcome, Refused
from shared.mail.reply import Reply

Extensions = Mapping[str, str]
"""What EHLO offered: lower-case keyword -> parameters."""

TOO_LARGE = Reply(552, "message size exceeds the limit of the next hop", "5.3.4")
NOT_ASCII = Reply(553, "next hop does not support SMTPUTF8", "5.6.7")
UNSAFE_ADDRESS = Reply(553, "address contains characters not allowed in SMTP", "5.1.3")

_UNSAFE = re.compile(r"[\x00-\x20\x7f<>]")
_UNSAFE_UNQUOTED = re.compile(r"[\x00-\x1f\x7f<>]")
_HEADER_END = re.compile(rb"\r\n\r\n")


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """A message as it leaves. content: edited, every line end CRLF."""

    delivery: Delivery
    content: bytes


@dataclass(frozen=True, slots=True)
class Commands:
    """What to send in one transaction. rcpts: by address, each once. takes_reports: the host takes NOTIFY over."""

    mail: bytes
    rcpts: Mapping[str, bytes]
    content: bytes
    refused: tuple[Outcome, ...]
    takes_reports: bool


def commands_for(
    message: OutgoingMessage, recipients: Sequence[DeliveryRecipient], extensions: Extensions, host: str
) -> Commands:
    """Return what to send to a host with these extensions; whom it cannot serve is refused without asking it."""
    delivery = message.delivery
    content = _content(message, extensions)
    eight_bit = not content.isascii() and "8bitmime" in extensions
    utf8 = _is_internationalized(delivery, content) and "smtputf8" in extensions
    addresses = {recipient.address: _on_the_wire(recipient.address) for recipient in recipients}
    sender = _on_the_wire(delivery.sender or "")
    message_refusal = _message_refusal(content, sender, extensions)
    refused = {
        address: Refused(address, reply, host)
        for address, wire_address in addresses.items()
        if (reply := message_refusal or _address_refusal(wire_address, extensions))
    }
    takes_reports = "dsn" in extensions
    rcpts = {
        recipient.address: _rcpt(addresses[recipient.address], recipient, takes_reports)
        for recipient in reversed(recipients)
        if recipient.address not in refused
    }
    utf8 = utf8 or not all(address.isascii() for address in (sender, *(addresses[address] for address in rcpts)))
    mail = _mail(sender, delivery, len(content), extensions, eight_bit=eight_bit, utf8=utf8)
    return Commands(mail, dict(reversed(rcpts.items())), content, tuple(refused.values()), takes_reports)


def _content(message: OutgoingMessage, extensions: Extensions) -> bytes:
    """Return the content in the form that a host with these extensions takes; what cannot be parsed stays as it is."""
    content = message.content
    try:
        if "8bitmime" not in extensions:
            content = apply(content, to_seven_bit(content))
        elif "smtputf8" not in extensions and _is_internationalized(message.delivery, content):
            content = apply(content, to_ascii_headers(content))
    except MalformedMessage:
        pass
    return terminated(apply(content, wrap_long_lines(content)))


def _is_internationalized(delivery: Delivery, content: bytes) -> bool:
    """Whether the message was sent with SMTPUTF8 because of its header (RFC 6532)."""
    return delivery.smtputf8 and not content.isascii() and not _header(content).isascii()


def _message_refusal(content: bytes, sender: str, extensions: Extensions) -> Reply | None:
    """Return why the host cannot take the message for any recipient; None where it can."""
    limit = extensions.get("size", "").strip()
    if limit.isdecimal() and 0 < int(limit) < len(content):
        return TOO_LARGE
    return _address_refusal(sender, extensions)


def _address_refusal(address: str, extensions: Extensions) -> Reply | None:
    if (_UNSAFE_UNQUOTED if address.startswith('"') else _UNSAFE).search(address):
        return UNSAFE_ADDRESS
    return None if address.isascii() or "smtputf8" in extensions else NOT_ASCII


def _on_the_wire(address: str) -> str:
    """Return the address with an ASCII domain where its local part is ASCII (RFC 5891): so it needs no SMTPUTF8."""
    local, at, domain = address.rpartition("@")
    return f"{local}@{domain_key(domain)}" if at and local.isascii() and not domain.isascii() else address


def _mail(sender: str, delivery: Delivery, size: int, extensions: Extensions, *, eight_bit: bool, utf8: bool) -> bytes:
    words = [f"MAIL FROM:<{sender}>"]
    if "size" in extensions:
        words.append(f"SIZE={size}")  # RFC 1870
    if eight_bit:
        words.append("BODY=8BITMIME")  # RFC 6152
    if utf8:
        words.append("SMTPUTF8")  # RFC 6531
    if "dsn" in extensions:  # RFC 3461 sections 4.3 and 4.4
        if delivery.ret:
            words.append(f"RET={delivery.ret}")
        if delivery.envid:
            words.append(f"ENVID={delivery.envid}")
    return " ".join(words).encode()


def _rcpt(address: str, recipient: DeliveryRecipient, dsn: bool) -> bytes:
    words = [f"RCPT TO:<{address}>"]
    if dsn and recipient.notify:
        words.append(f"NOTIFY={','.join(recipient.notify)}")
    if dsn and recipient.orcpt:
        words.append(f"ORCPT={recipient.orcpt}")
    return " ".join(words).encode()


def _header(content: bytes) -> bytes:
    found = _HEADER_END.search(content)
    return content[: found.start()] if found else content
