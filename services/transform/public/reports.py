"""Delivery reports and receipts without internal addresses (RFC 3464 section 4.2, RFC 8098 section 6.2).

A report is made by a program, so all of it may be changed: the text for people, the fields for programs, the subject,
and the header of the message that it returns. Identifiers stay, since a sender's tracking compares them
(Original-Message-ID, Original-Envelope-Id, and `Message-ID:` lines in the text), and so do names of hosts and servers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from services.transform.public.bodies import body_edits, text_edits
from services.transform.public.fields import (
    TYPED,
    address_field_edits,
    typed_edits,
    unstructured_edits,
)
from shared.mail.edits import Edit
from shared.mail.header import Field, read_fields
from shared.mail.mime import Entity
from shared.routing.embedded import Embedded
from shared.routing.router import Router

_FIELDS_OF_PROGRAMS = frozenset(
    {
        *("message/delivery-status", "message/disposition-notification", "message/feedback-report"),
        *("message/global-delivery-status", "message/global-disposition-notification"),  # RFC 6533
    }
)
_HEADERS = frozenset({"text/rfc822-headers", "message/global-headers"})
_MESSAGES = frozenset({"message/rfc822", "message/global"})
_ADDRESSES = frozenset({"original-rcpt-to", "original-mail-from", "removal-recipient"})  # RFC 5965
_KEPT = frozenset(
    {
        *("original-message-id", "original-envelope-id", "arrival-date", "last-attempt-date", "will-retry-until"),
        *("reporting-mta", "reporting-ua", "mdn-gateway", "dsn-gateway", "received-from-mta", "remote-mta"),
    }
)
_IDENTIFIERS = re.compile(
    r"(?<![\w-])(?:message-id|references|in-reply-to|content-id)[ \t]*+:(?:(?!<br)[^\n])*+(?:\n[ \t]++<[^\n]*+)*+",
    re.IGNORECASE,
)


def report_edits(content: bytes, report: Entity, router: Router) -> Iterator[Edit]:
    """Yield the edits that make the parts of a multipart/report public, in order; none in what is signed."""
    waiting = list(reversed(report.children))
    while waiting:
        part = waiting.pop()
        if part.is_protected:
            continue
        if part.content_type.startswith("multipart/"):
            waiting += reversed(part.children)
        elif part.content_type in _FIELDS_OF_PROGRAMS:
            yield from body_edits(content, part, lambda body: list(_group_edits(body, router)))
        elif part.content_type in _HEADERS:
            yield from body_edits(content, part, lambda body: list(_header_edits(body, router)))
        elif part.content_type in _MESSAGES:
            for message in part.children:
                yield from address_field_edits(content, message.fields, router, humanize_names=False)
        elif part.disposition != "attachment":
            yield from text_edits(content, part, lambda text: _text_addresses(text, router))


def subject_edits(content: bytes, root: Entity, router: Router) -> Iterator[Edit]:
    """Yield the edits of a report's Subject: Domino names the recipient there."""
    if subject := root.find("subject"):
        yield from unstructured_edits(content, subject, router)


def _text_addresses(text: str, router: Router) -> Iterable[Embedded]:
    if not router.topology.internal_text_pattern.search(text):
        return ()
    return router.internal_addresses(_IDENTIFIERS.sub(lambda found: " " * len(found[0]), text))


def _header_edits(body: bytes, router: Router) -> Iterator[Edit]:
    fields, _ = read_fields(body, 0, len(body))
    yield from address_field_edits(body, fields, router, humanize_names=False)


def _group_edits(body: bytes, router: Router) -> Iterator[Edit]:
    for field in _all_fields(body):
        if field.name in TYPED or field.name in _ADDRESSES:
            yield from typed_edits(body, field, router)
        elif field.name not in _KEPT:
            yield from unstructured_edits(body, field, router)


def _all_fields(body: bytes) -> Iterator[Field]:
    """Yield the fields of all groups (RFC 3464 section 2.1); empty lines part them."""
    position = 0
    while position < len(body):
        fields, following = read_fields(body, position, len(body))
        yield from fields
        if following <= position:
            return
        position = following
