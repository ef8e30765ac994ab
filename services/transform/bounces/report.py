"""A delivery report made of a bounce that is only text (RFC 6522, RFC 3464); its own bytes stay where they are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from hashlib import sha256

from services.transform.bounces.status import status_of
from services.transform.bounces.text import FAILURES, NOT_DELIVERED, RETURNED, Failure, domino_failures, notes_failures
from services.transform.pipeline import Context
from shared.mail.address_list import read_addresses
from shared.mail.body import decode_body
from shared.mail.edits import Edit
from shared.mail.header import encode_words, fold
from shared.mail.mime import Entity
from shared.mail.transfer import IDENTITIES
from shared.mail.unlabelled import read_unlabelled

_QUESTION_MARKS = bytes(octet if octet < 0x80 else ord("?") for octet in range(256))
_BLANK_LINES = re.compile(rb"(?:[ \t]*+\r?\n)*+")


def made_report(content: bytes, root: Entity, context: Context) -> Iterator[Edit]:
    """Yield the edits that make a report of a bounce, in no order.

    None if the text names no recipient, or no empty line ends the header.
    """
    if not root.fields or not content.endswith((b"\n\n", b"\n\r\n"), 0, root.body_start):
        return
    default = context.source.default_charset
    first = FAILURES.search(content, root.body_start)
    marker = RETURNED.search(content, first.end()) if first else None
    text_end, returned_start = root.end, root.end
    if first is None:
        octets = decode_body(content, root)
        failures = domino_failures(_text(octets, root, default)) if NOT_DELIVERED.encode() in octets else []
    elif marker and root.transfer_encoding in IDENTITIES:
        failures = notes_failures(_text(content[first.end() : marker.start()], root, default))
        blank = _BLANK_LINES.match(content, marker.end())
        text_end, returned_start = marker.start(), blank.end() if blank else marker.end()
    else:
        failures = []
    if failures:
        fields = _fields(failures, _reporter(content, root, context), context)
        yield from _as_report(content, root, (text_end, returned_start), fields)


def _text(octets: bytes, root: Entity, default: str | None) -> str:
    text = read_unlabelled(octets, root.parameters.get("charset"), default)
    return octets.translate(_QUESTION_MARKS).decode("ascii") if text is None else text


def _as_report(content: bytes, root: Entity, between: tuple[int, int], fields: bytes) -> Iterator[Edit]:
    """Yield the edits that put header, delimiters and fields around the text and the returned message.

    between: where the text ends and where the returned message starts, which is the end where there is none.
    """
    boundary = f"={sha256(content).hexdigest()[:32]}="
    delimiter = f"--{boundary}\r\n".encode("ascii")
    moved = [field for field in root.fields if field.name.startswith("content-")]
    head = b"" if root.find("mime-version") else b"MIME-Version: 1.0\r\n"
    head += fold("Content-Type", f'multipart/report; report-type=delivery-status; boundary="{boundary}"')
    head += _encoding(content[root.body_start :])
    at_end = root.fields[-1].end
    yield Edit(moved[0].start, moved[0].end, head) if moved else Edit(at_end, at_end, head)
    yield from (Edit(field.start, field.end, b"") for field in moved[1:])

    moved_head = b"".join(content[field.start : field.end] for field in moved)
    yield Edit(root.body_start, root.body_start, delimiter + moved_head + b"\r\n")

    text_end, returned_start = between
    middle = b"\r\n" + delimiter + b"Content-Type: message/delivery-status\r\n\r\n" + fields
    closing = f"\r\n--{boundary}--\r\n".encode("ascii")
    if returned_start == root.end:
        yield Edit(text_end, root.end, middle + closing)
        return
    encoding = _encoding(content[returned_start:])
    middle += b"\r\n" + delimiter + b"Content-Type: message/rfc822\r\n" + encoding + b"\r\n"
    yield Edit(text_end, returned_start, middle)
    yield Edit(root.end, root.end, closing)


def _encoding(octets: bytes) -> bytes:
    return b"" if octets.isascii() else b"Content-Transfer-Encoding: 8bit\r\n"


def _fields(failures: list[Failure], reporter: str, context: Context) -> bytes:
    """Return the body of message/delivery-status; addresses are public, and each failure is listed once."""
    groups = [fold("Reporting-MTA", f"dns; {reporter}")]
    for failure in dict.fromkeys(failures):
        group = fold("Final-Recipient", f"rfc822; {context.router.public(failure.address)}")
        group += f"Action: failed\r\nStatus: {status_of(failure.reason)}\r\n".encode("ascii")
        if failure.reason:
            group += fold("Diagnostic-Code", f"X-Notes; {encode_words(failure.reason)}")
        groups.append(group)
    return b"\r\n".join(groups)


def _reporter(content: bytes, root: Entity, context: Context) -> str:
    """Return the domain that the bounce comes from, in its public form."""
    field = root.find("from")
    mailboxes = read_addresses(content, field.value_start, field.end) if field else ()
    domains = (context.router.public(mailbox.address).rpartition("@")[2] for mailbox in mailboxes)
    return next((domain for domain in domains if domain and domain.isascii()), context.hostname)
