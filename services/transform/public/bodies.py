"""Texts and calendars in parts of a message, made public where they stand: nothing else of the part changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from services.transform.editing.text_body import Replacement, read_text
from shared.mail.body import decode_body
from shared.mail.edits import Edit, apply
from shared.mail.mime import Entity
from shared.mail.transfer import IDENTITIES, encode_base64, encode_quoted_printable
from shared.routing.calendar_addresses import internal_calendar_addresses
from shared.routing.embedded import Embedded, byte_edits
from shared.routing.router import Router

_CALENDARS = frozenset({"text/calendar", "application/ics", "text/x-vcalendar"})
_CALENDAR_FILES = (".ics", ".vcs")
_ENCODERS = {"base64": encode_base64, "quoted-printable": encode_quoted_printable}


def is_calendar(entity: Entity) -> bool:
    """Whether a part is a calendar, by its type or, where the type says nothing, by its file name."""
    if entity.content_type in _CALENDARS:
        return True
    says_nothing = entity.content_type in ("application/octet-stream", "text/plain")
    return says_nothing and (entity.filename or "").lower().endswith(_CALENDAR_FILES)


def calendar_edits(content: bytes, part: Entity, router: Router) -> list[Edit]:
    """Return the edits that make the people's addresses in a calendar part public; see `calendar_addresses`."""

    def found(text: str) -> Iterable[Embedded]:
        return internal_calendar_addresses(text, router)

    if part.content_type.startswith("text/"):
        return text_edits(content, part, found)

    def of_bytes(body: bytes) -> list[Edit]:
        text = body.decode("utf-8", "surrogateescape")
        return list(byte_edits(text, found(text)))

    return body_edits(content, part, of_bytes)


def text_edits(content: bytes, part: Entity, find: Callable[[str], Iterable[Embedded]]) -> list[Edit]:
    """Return the edits that put public addresses into a text part, in its charset and transfer encoding."""
    body = read_text(content, part)
    replacements = [Replacement(match.start, match.end, match.public) for match in find(body.text)] if body else []
    return body.edits(replacements) if body and replacements else []


def body_edits(content: bytes, part: Entity, change: Callable[[bytes], list[Edit]]) -> list[Edit]:
    """Return the edits of a part that is no text. change: the edits of its body without transfer encoding."""
    body = decode_body(content, part)
    edits = change(body)
    if not edits:
        return []
    if part.transfer_encoding in IDENTITIES:
        return [Edit(part.body_start + edit.start, part.body_start + edit.end, edit.replacement) for edit in edits]
    encode = _ENCODERS.get(part.transfer_encoding)
    if encode is None:
        return []
    new = encode(apply(body, edits))
    at_end = content.endswith(b"\n", part.body_start, part.end)
    return [Edit(part.body_start, part.end, new if at_end else new.removesuffix(b"\r\n"))]
