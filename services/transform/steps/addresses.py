"""Public addresses in header fields, in reports and receipts, in calendars.

Every address field of the message shows public addresses only: exact map, Notes and IMCEA forms, domain rules; see
`public.fields`. For any destination but Domino, display names that are Notes names become the person's common name.
Of the parts of a message, reports (`public.reports`) and calendars that no conversion wrote (`public.bodies`) are made
public too. Nothing that is signed or encrypted is touched, save the header fields of the message itself, which no inner
signature covers. Attached messages stay as they are: another person wrote them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from services.transform.pipeline import Context, Conversion, Step, StepMessage
from services.transform.public.bodies import calendar_edits, is_calendar
from services.transform.public.fields import address_field_edits, leaks_in
from services.transform.public.reports import report_edits, subject_edits
from shared.errors import MalformedMessage
from shared.mail.edits import Edit, apply
from shared.mail.header import read_fields
from shared.mail.mime import Entity, parse
from shared.routing.router import Router

_REPORT = "multipart/report"


def rewrite(content: bytes, root: Entity, router: Router, humanize_names: bool) -> list[Edit]:
    """Return the edits that make the whole message public, in order."""
    header = address_field_edits(content, root.fields, router, humanize_names)
    return sorted([*header, *_part_edits(content, root, router)])


def leaks(content: bytes, root: Entity, router: Router) -> int:
    """Return how many internal addresses a message shows; none once it is rewritten.

    Counts what `rewrite` would still change, and internal domains in obsolete routes. What is signed or encrypted, and
    attached messages, are not counted: they must not be changed.
    """
    return leaks_in(content, root.fields, router) + sum(1 for _ in _part_edits(content, root, router))


def leaks_after(content: bytes, conversion: Conversion, router: Router) -> int:
    """Return the same for a message as its conversion leaves it (`causeway_internal_address_leaks_total`).

    One without a report or calendar is not copied: only its header can show an address.
    """
    parts = _own_parts(conversion.root) if conversion.root else ()
    if any(part.content_type == _REPORT or is_calendar(part) for part in parts):
        whole = apply(content, conversion.edits)
        with suppress(MalformedMessage):  # where the edits made the header too long for our reader
            return leaks(whole, parse(whole), router)
    _, body_start = read_fields(content, 0, len(content))
    header = apply(content[:body_start], [edit for edit in conversion.edits if edit.end <= body_start])
    fields, _ = read_fields(header, 0, len(header))
    return leaks_in(header, fields, router)


def _part_edits(content: bytes, root: Entity, router: Router) -> Iterator[Edit]:
    if root.content_type == _REPORT:
        yield from subject_edits(content, root, router)
    for part in _own_parts(root):
        if part.content_type == _REPORT:
            yield from report_edits(content, part, router)
        elif is_calendar(part):
            yield from calendar_edits(content, part, router)


def _own_parts(root: Entity) -> Iterator[Entity]:
    """Yield the parts of the message itself that may be changed, not those of a report or of an attached message."""
    waiting = [root]
    while waiting:
        entity = waiting.pop()
        if entity.is_protected:
            continue
        yield entity
        if entity.content_type.startswith("multipart/") and entity.content_type != _REPORT:
            waiting += reversed(entity.children)


def _applies(message: StepMessage, _context: Context) -> bool:
    return bool(message.root.fields)


def _edits(message: StepMessage, context: Context) -> list[Edit]:
    return rewrite(message.content, message.root, context.router, context.destination.kind != "domino")


STEP = Step(
    name="addresses",
    description="Header fields, reports and calendars show public addresses; people's names replace Notes names.",
    applies=_applies,
    change=_edits,
    on_failure="defer",
)
