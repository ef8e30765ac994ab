"""Attached documents, marked as attachments, so that people see that there are some.

Notes and iNotes mark documents `inline`, and so do some Outlooks. Neither side then shows a paperclip for them, and
programs that trust the mark put them into the text, where they cannot be shown. RFC 2183 section 2.1 calls inline what
is to be shown with the text, so `inline` becomes `attachment`, both ways, for a part that is neither

- text, an image, a message or a multipart: they can be shown,
- mentioned in the HTML by its Content-ID, or found there by its Content-Location,
- an alternative of the text, or what a system made for itself (TNEF, encapsulated rich text, keys and signatures).

Only the word changes. The other way, `attachment` to `inline`, nothing needs it: an image that the HTML mentions is
shown by Outlook and by Notes whatever its disposition says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from services.transform.editing.content_ids import html_bodies, mentions
from services.transform.pipeline import Context, Step, StepMessage
from services.transform.scope import OpenMessage, changes_sides, open_messages
from shared.mail.edits import Edit
from shared.mail.mime import Entity

_SHOWN = ("text/", "image/", "message/", "multipart/")
_MADE_FOR_PROGRAMS = re.compile(r"application/(?:ms-tnef|vnd\.ms-tnef|x-lotus-encap2?|ics|(?:x-)?pkcs7-.*|pgp.*)")
_INLINE = re.compile(rb"[ \t\r\n]*(inline)", re.IGNORECASE)


def _is_document(part: Entity) -> bool:
    kind = part.content_type
    return (
        part.disposition == "inline"
        and not kind.startswith(_SHOWN)
        and not _MADE_FOR_PROGRAMS.fullmatch(kind)
        and part.find("content-location") is None
    )


def _documents(message: OpenMessage) -> list[Entity]:
    alternatives = {
        child.start for part in message.parts if part.content_type == "multipart/alternative" for child in part.children
    }
    return [part for part in message.parts if _is_document(part) and part.start not in alternatives]


def _marked(message: OpenMessage, content: bytes) -> Iterator[Edit]:
    documents = _documents(message)
    mentioned: set[str | None] = set()
    if any(part.content_id for part in documents):
        mentioned = {mention.content_id for body in html_bodies(content, message) for mention in mentions(body.text)}
    for part in documents:
        field = part.find("content-disposition")
        if part.content_id in mentioned or not field:
            continue
        if found := _INLINE.match(content, field.value_start, field.end):
            yield Edit(found.start(1), found.end(1), b"attachment")


def _applies(message: StepMessage, context: Context) -> bool:
    return changes_sides(context) and any(part.disposition == "inline" for part in message.root.walk())


def _edits(message: StepMessage, _context: Context) -> tuple[Edit, ...]:
    return tuple(sorted(edit for nested in open_messages(message.root) for edit in _marked(nested, message.content)))


STEP = Step(
    name="dispositions",
    description="Documents that cannot be shown in the text are marked as attachments.",
    applies=_applies,
    change=_edits,
    on_failure="pass",
)
