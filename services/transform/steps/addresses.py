"""Addresses in header fields, as everybody may see them.

Every address field of the message shows public addresses only: exact map, Notes and IMCEA forms, domain rules. For any
destination but Domino, display names that are Notes names become what people call the bearer. Only the header of the
message itself is rewritten, of a signed one too: internal addresses must not leak, and no inner signature covers that
header. Attached messages stay as they are: what they show was shown before.

An edit replaces the octets of one address (of its domain, where only that changes) or of one display name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from services.transform.pipeline import Context, Step, StepMessage
from shared.mail.address import quote, unquote
from shared.mail.address_list import Mailbox, read_addresses, write_name
from shared.mail.edits import Edit, Edits, apply
from shared.mail.header import Field, read_fields
from shared.mail.mime import Entity
from shared.routing.router import Router

_RAW = re.compile("[\udc80-\udcff]")
FIELDS = frozenset(
    {
        *("from", "sender", "reply-to", "to", "cc", "bcc"),  # RFC 5322 section 3.6.2, 3.6.3
        *("resent-from", "resent-sender", "resent-reply-to", "resent-to", "resent-cc", "resent-bcc"),  # 3.6.6
        *("return-path", "delivered-to", "apparently-to", "errors-to"),
        *(
            "disposition-notification-to",
            "return-receipt-to",
            "x-confirm-reading-to",
        ),  # receipts: RFC 8098, Sendmail, Pegasus
        *("mail-followup-to", "mail-reply-to"),
        *("x-sender", "x-receiver", "x-original-to", "x-envelope-from", "x-envelope-to"),  # relays: Exchange, Postfix
    }
)


def rewrite_headers(content: bytes, root: Entity, router: Router, humanize_names: bool) -> list[Edit]:
    """Return the edits that make the address fields of a message public, in order."""
    return [
        edit
        for field in _address_fields(root.fields)
        for mailbox in read_addresses(content, field.value_start, field.end)
        for edit in _edits_of(content, mailbox, router, humanize_names)
    ]


def leaks(content: bytes, root: Entity, router: Router) -> int:
    """Return how many internal addresses the address fields of a message hold; none once it is rewritten.

    Counts what `rewrite_headers` would still change, and what looks like an internal address anywhere else in those
    fields: a comment, a route.
    """
    return _leaks(content, root.fields, router)


def leaks_after(content: bytes, edits: Edits, router: Router) -> int:
    """Return the same for a message as its edits leave it (`causeway_internal_address_leaks_total`); copies no body."""
    _, body_start = read_fields(content, 0, len(content), _never)
    header = apply(content[:body_start], [edit for edit in edits if edit.end <= body_start])
    fields, _ = read_fields(header, 0, len(header), _never)
    return _leaks(header, fields, router)


def _never(_offset: int) -> bool:
    return False


def _leaks(content: bytes, fields: Iterable[Field], router: Router) -> int:
    count = 0
    for field in _address_fields(fields):
        covered = field.value_start
        for mailbox in read_addresses(content, field.value_start, field.end):
            start, end = mailbox.address_span
            count += len(router.topology.internal_pattern.findall(content, covered, start))
            count += router.is_internal(mailbox.address)
            covered = end
        count += len(router.topology.internal_pattern.findall(content, covered, field.end))
    return count


def _address_fields(fields: Iterable[Field]) -> Iterator[Field]:
    return (field for field in fields if field.name in FIELDS)


def _edits_of(content: bytes, mailbox: Mailbox, router: Router, humanize_names: bool) -> Iterator[Edit]:
    if mailbox.name_span and (humanize_names or "@" in mailbox.name):
        name = router.public_name(mailbox.name)
        start, end = mailbox.name_span
        if name != mailbox.name and _is_writable(name, content[start:end]):
            yield Edit(start, end, write_name(name, quoted=content.startswith(b'"', start)))
    public = router.public(mailbox.address)
    if public != mailbox.address:
        yield _address_edit(content, mailbox, public)


def _is_writable(name: str, raw: bytes) -> bool:
    """Whether a new name keeps every character: not raw ISO-2022-JP, nor raw bytes beside decoded encoded words."""
    return b"\x1b" not in raw and (b"=?" not in raw or not _RAW.search(name))


def _address_edit(content: bytes, mailbox: Mailbox, public: str) -> Edit:
    """Return the edit of the domain alone where the rest stays as it is written: not in encoded words."""
    local, _, domain = public.rpartition("@")
    start, end = mailbox.address_span
    is_encoded = b"=?" in content[start:end]
    if mailbox.domain_span and not is_encoded and local == mailbox.address.rpartition("@")[0]:
        return Edit(*mailbox.domain_span, domain.encode("utf-8", "surrogateescape"))
    written = f"{quote(unquote(local))}@{domain}" if is_encoded else public  # what was one address stays one
    return Edit(start, end, written.encode("utf-8", "surrogateescape"))


def _applies(message: StepMessage, _context: Context) -> bool:
    return any(True for _ in _address_fields(message.root.fields))


def _edits(message: StepMessage, context: Context) -> list[Edit]:
    return rewrite_headers(message.content, message.root, context.router, context.destination.kind != "domino")


STEP = Step(
    name="addresses",
    description="Address fields show public addresses, and people's names instead of Notes names.",
    applies=_applies,
    change=_edits,
    on_failure="defer",
)
