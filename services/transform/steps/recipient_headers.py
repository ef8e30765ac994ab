"""Recipient fields that are too long for Notes, shortened visibly.

Domino refuses or cuts off recipient fields of more than about 15 KB (`transform.max_recipient_header_bytes`). As many
whole addresses as fit stay, byte for byte; an empty group then says how many more there are (RFC 5322 section 3.4):
`and 212 more recipients:;`. All recipients get the message: the envelope is never changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from services.transform.pipeline import Context, Step, StepMessage
from services.transform.scope import enters_notes
from shared.mail.address_list import Mailbox, read_addresses
from shared.mail.edits import Edit
from shared.mail.header import Field

FIELDS = frozenset({"to", "cc", "resent-to", "resent-cc"})
_SEPARATOR = re.compile(rb"(\s*+>?)\s*+[,;]\s*+<?")  # nothing but a comma between two addresses: a place to cut


def shortened(content: bytes, field: Field, max_bytes: int) -> Edit | None:
    """Return the edit that brings a field's value to at most `max_bytes` bytes; None for one that is short enough."""
    value_end = field.value_start + len(field.raw(content))
    if value_end - field.value_start <= max_bytes:
        return None
    mailboxes = read_addresses(content, field.value_start, value_end)
    line_end = b"\r\n" if content[value_end : field.end] != b"\n" else b"\n"
    kept, cut = 0, field.value_start
    for number, end in _cuts(content, mailboxes):
        if end - field.value_start + len(_marker(len(mailboxes), number, line_end)) <= max_bytes:
            kept, cut = number, end
    return Edit(cut, value_end, _marker(len(mailboxes), kept, line_end))


def _cuts(content: bytes, mailboxes: tuple[Mailbox, ...]) -> Iterator[tuple[int, int]]:
    """Yield how many addresses stand before each place where the list may be cut, and the place."""
    for number, (mailbox, following) in enumerate(pairwise(mailboxes), 1):
        end = mailbox.address_span[1]
        next_start = min(following.address_span[0], (following.name_span or following.address_span)[0])
        between = _SEPARATOR.fullmatch(content, end, next_start)
        if between and mailbox.group is None and following.group is None:
            yield number, between.end(1)


def _marker(total: int, kept: int, line_end: bytes) -> bytes:
    more = total - kept
    words = f"{more} {'more ' if kept else ''}recipient{'' if more == 1 else 's'}:;".encode("ascii")
    return b"," + line_end + b" and " + words if kept else b" " + words


def _applies(message: StepMessage, context: Context) -> bool:
    limit = context.settings.max_recipient_header_bytes
    return enters_notes(context) and any(
        field.name in FIELDS and field.end - field.value_start > limit for field in message.root.fields
    )


def _edits(message: StepMessage, context: Context) -> list[Edit]:
    limit = context.settings.max_recipient_header_bytes
    fields = (field for field in message.root.fields if field.name in FIELDS)
    return [edit for field in fields if (edit := shortened(message.content, field, limit))]


STEP = Step(
    name="recipient_headers",
    description="Recipient fields that are too long for Notes are shortened visibly; the envelope never is.",
    applies=_applies,
    change=_edits,
    on_failure="pass",
)
