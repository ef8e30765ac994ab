"""Header fields that must not leave, and requests for receipts in the form of the destination.

Blind copies. `Bcc` and `Resent-Bcc` never leave (RFC 5322 section 3.6.3), to any system; nor does an `X-Notes-Item`
whose name is a blind-copy item (`AltBlindCopyTo`, `BlindCopyTo`, `INetBlindCopyTo`), where Notes repeats the names.
That holds in attached messages too, but for what is signed or encrypted.

Receipts. Notes asks by `Return-Receipt-To` or by `Disposition-Notification-To`, as its administrator picked, and
honours only the picked one; the rest of the world knows the second (RFC 8098 section 2.1).

- From Domino to any other kind of system, `Return-Receipt-To` is renamed, unless the other field is there already.
- From any other kind to Domino, where only `Disposition-Notification-To` is given, `Return-Receipt-To` repeats it:
  whichever the administrator picked is there, and the other is ignored, so no receipt is sent twice.

Quirks: relays change the case of field names and fold inside `name=AltBlindCopyTo`; a blank `Bcc:` occurs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from services.transform.pipeline import Context, Step, StepMessage
from shared.mail.edits import Edit
from shared.mail.header import Field
from shared.mail.mime import Entity

_BLIND_FIELDS = frozenset({"bcc", "resent-bcc"})
_BLIND_ITEM = re.compile(rb'(?:^|;)name="?[^;"]*blindcopy', re.IGNORECASE)
_WHITESPACE = re.compile(rb"\s+")

RETURN_RECEIPT = "return-receipt-to"
DISPOSITION_NOTIFICATION = "disposition-notification-to"


def _is_blind_copy(field: Field, content: bytes) -> bool:
    if field.name == "x-notes-item":
        return _BLIND_ITEM.search(_WHITESPACE.sub(b"", field.raw(content))) is not None
    return field.name in _BLIND_FIELDS


def _messages(root: Entity) -> Iterator[Entity]:
    """Yield the message itself and each attached one that may be changed."""
    yield root
    waiting = [root]
    while waiting:
        entity = waiting.pop()
        if entity.is_protected:
            continue
        for child in entity.children:
            if not entity.content_type.startswith("multipart/"):
                yield child
            waiting.append(child)


def _blind_copies(message: StepMessage) -> Iterator[Edit]:
    for entity in _messages(message.root):
        yield from (
            Edit(field.start, field.end, b"") for field in entity.fields if _is_blind_copy(field, message.content)
        )


def _receipts(message: StepMessage, context: Context) -> Iterator[Edit]:
    from_domino, to_domino = context.source.kind == "domino", context.destination.kind == "domino"
    asked = message.root.find(RETURN_RECEIPT)
    notification = message.root.find(DISPOSITION_NOTIFICATION)
    if from_domino and not to_domino and asked and not notification:
        yield Edit(asked.start, asked.start + len(asked.name), b"Disposition-Notification-To")
    if to_domino and not from_domino and notification and not asked:
        rest = message.content[notification.start + len(notification.name) : notification.end]
        line_end = b"" if rest.endswith(b"\n") else b"\r\n"
        yield Edit(notification.start, notification.start, b"Return-Receipt-To" + rest + line_end)


def _applies(message: StepMessage, _context: Context) -> bool:
    return bool(message.root.fields)


def _edits(message: StepMessage, context: Context) -> tuple[Edit, ...]:
    return tuple(sorted([*_blind_copies(message), *_receipts(message, context)]))


STEP = Step(
    name="notes_headers",
    description="Blind copy fields are removed; receipts are requested in the form of the destination.",
    applies=_applies,
    change=_edits,
    on_failure="dead_letter",
)
