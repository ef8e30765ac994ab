"""One mail transaction as one host can take it: what to say, what to send, and whom it cannot serve. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from services.egress.wire import terminated
from shared.errors import CannotDowngrade, MalformedMessage
from shared.mail.address import domain_key
from shared.mail.delivery import Delivery, DeliveryRecipient
from shared.mail.downgrade import to_seven_bit
from shared.mail.edits import apply
from shared.mail.outcome import Outcome, Refused
from shared.mail.reply import Reply

Extensions = Mapping[str, str]
"""What EHLO offered: lower-case keyword -> parameters."""

TOO_LARGE = Reply(552, "message is larger than the next host takes", "5.3.4")
NOT_ASCII = Reply(553, "the next host takes no internationalised addresses or headers", "5.6.7")
NOT_CONVERTIBLE = Reply(554, "the message is 8-bit, and may not be changed for a next host that takes 7-bit", "5.6.3")
UNSAFE_ADDRESS = Reply(553, "the address cannot be said in SMTP", "5.1.3")

_UNSAFE = re.compile(r"[\x00-\x20\x7f<>]")
_UNSAFE_UNQUOTED = re.compile(r"[\x00-\x1f\x7f<>]")
_HEADER_END = re.compile(rb"\r\n\r\n")


@dataclass(frozen=True, slots=True)
class Transaction:
    """A message for some recipients. content: edited, every line end CRLF."""

    delivery: Delivery
    recipients: tuple[DeliveryRecipient, ...]
    content: bytes


@dataclass(frozen=True, slots=True)
class Plan:
    """What to say. rcpts: commands by address, each once. takes_reports: wishes for reports are passed on."""

    mail: bytes
    rcpts: Mapping[str, bytes]
    content: bytes
    refused: tuple[Outcome, ...]
    takes_reports: bool


def plan(transaction: Transaction, extensions: Extensions, host: str) -> Plan:
    """Return how a host with these extensions is told of the message; what it cannot take is refused unasked."""
    delivery, content = transaction.delivery, terminated(transaction.content)
    eight_bit = not content.isascii()
    utf8 = delivery.smtputf8 and eight_bit and not _header(content).isascii()
    convertible = True
    if eight_bit and "8bitmime" not in extensions:
        content, convertible, eight_bit = *_seven_bit(content), False
    addresses = {recipient.address: _spoken(recipient.address) for recipient in transaction.recipients}
    sender = _spoken(delivery.sender or "")
    unsendable = _unsendable(content, sender, utf8, extensions) if convertible else NOT_CONVERTIBLE
    refused = {
        address: Refused(address, reason, host)
        for address, spoken in addresses.items()
        if (reason := unsendable or _unspeakable(spoken, extensions))
    }
    takes_reports = "dsn" in extensions
    rcpts = {
        recipient.address: _rcpt(addresses[recipient.address], recipient, takes_reports)
        for recipient in reversed(transaction.recipients)
        if recipient.address not in refused
    }
    utf8 = utf8 or not all(spoken.isascii() for spoken in (sender, *(addresses[address] for address in rcpts)))
    mail = _mail(sender, delivery, len(content), extensions, eight_bit=eight_bit, utf8=utf8)
    return Plan(mail, dict(reversed(rcpts.items())), content, tuple(refused.values()), takes_reports)


def _seven_bit(content: bytes) -> tuple[bytes, bool]:
    """Return the content for a host without 8BITMIME, and whether it could be converted (RFC 6152 section 3)."""
    try:
        return terminated(apply(content, to_seven_bit(content))), True
    except (CannotDowngrade, MalformedMessage):
        return content, False


def _unsendable(content: bytes, sender: str, utf8: bool, extensions: Extensions) -> Reply | None:
    """Return why the host can take the message for nobody."""
    limit = extensions.get("size", "").strip()
    if limit.isdecimal() and 0 < int(limit) < len(content):
        return TOO_LARGE
    if utf8 and "smtputf8" not in extensions:
        return NOT_ASCII
    return _unspeakable(sender, extensions)


def _unspeakable(address: str, extensions: Extensions) -> Reply | None:
    if (_UNSAFE_UNQUOTED if address.startswith('"') else _UNSAFE).search(address):
        return UNSAFE_ADDRESS
    return None if address.isascii() or "smtputf8" in extensions else NOT_ASCII


def _spoken(address: str) -> str:
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
