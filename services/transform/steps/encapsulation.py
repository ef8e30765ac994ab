"""Encapsulated Notes rich text, stripped for systems that ask for it.

Domino can add the whole Notes document to the text and HTML it sends: thousands of lines that only Notes can show.
The part is of type application/X-Lotus-Encap2 (older: without the 2), or its file is named `*.ond`; either sign is
enough, in upper or lower case.

What is left stays a valid message:

- A multipart keeps at least one part (RFC 2046 section 5.1.1). With one left it stays as it is: valid, and its header
  keeps its bytes. A multipart that held nothing else is removed whole from the one around it.
- Where nothing else is in the message, or in a message attached to it, a short text stands in.
- So it does for the root of a multipart/related (RFC 2387 section 3.4), which its other parts belong to.

Signed and encrypted parts are never entered, nor are delivery reports: what they return is evidence.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from services.transform.pipeline import Context, Step, StepMessage
from shared.mail.edits import Edit
from shared.mail.mime import Entity

TYPES = frozenset({"application/x-lotus-encap", "application/x-lotus-encap2"})
FILE_ENDING = ".ond"
STAND_IN = b"This message held only Notes rich text, which cannot be shown outside Notes."

_OF_THE_BODY = frozenset({"content-transfer-encoding", "content-disposition", "content-description", "content-md5"})


def is_encapsulation(entity: Entity) -> bool:
    """Whether the part is an encapsulated Notes document."""
    if entity.children or entity.is_protected:
        return False
    return entity.content_type in TYPES or (entity.filename or "").strip().lower().endswith(FILE_ENDING)


def _is_closed(entity: Entity) -> bool:
    """Whether nothing inside may be changed."""
    return entity.is_protected or entity.content_type == "multipart/report"


def _is_nothing_else(entity: Entity) -> bool:
    """Whether the part is encapsulation, or a multipart with nothing else in it."""
    if not entity.content_type.startswith("multipart/") or not entity.children:
        return is_encapsulation(entity)
    return not _is_closed(entity) and all(_is_nothing_else(child) for child in entity.children)


def _stripped(content: bytes, entity: Entity) -> Iterator[Edit]:
    """Yield the edits that rid a message, or what is inside a part, of encapsulation."""
    if _is_nothing_else(entity):
        yield from _stood_in_for(content, entity)
    elif _is_closed(entity):
        return
    elif not entity.content_type.startswith("multipart/"):
        for attached in entity.children:
            yield from _stripped(content, attached)
    else:
        root = _related_root(entity)
        for goes, run in groupby(entity.children, lambda child: child is not root and _is_nothing_else(child)):
            if goes:
                yield _removal(content, list(run))
            else:
                for child in run:
                    yield from _stripped(content, child)


def _related_root(entity: Entity) -> Entity | None:
    if entity.content_type != "multipart/related":
        return None
    start = entity.parameters.get("start", "").strip("<> ")
    return next((child for child in entity.children if start and child.content_id == start), entity.children[0])


def _removal(content: bytes, run: list[Entity]) -> Edit:
    """Delete neighbouring parts with their delimiter lines; where none follows, a closing one takes their place."""
    first, last = run[0], run[-1]
    if last.part_end < len(content):
        return Edit(first.part_start, last.part_end, b"")
    line = content[first.part_start : first.start]
    delimiter = line.rstrip(b" \t\r\n")
    return Edit(first.part_start, last.part_end, delimiter + b"--" + _line_end(line))


def _stood_in_for(content: bytes, entity: Entity) -> Iterator[Edit]:
    """Put the text in the place of the first part, and remove the others."""
    if entity.children:
        yield from _stood_in_for(content, entity.children[0])
        if entity.children[1:]:
            yield _removal(content, list(entity.children[1:]))
        return
    content_type = entity.find("content-type")
    for field in entity.fields:
        if field is content_type:
            line_end = _line_end(content[field.start : field.end])
            yield Edit(field.value_start, field.end, b" text/plain; charset=us-ascii" + line_end)
        elif field.name in _OF_THE_BODY or field.name == "content-type":
            yield Edit(field.start, field.end, b"")
    header = content[entity.start : entity.body_start]
    line_end = _line_end(header)
    before = b"" if header.endswith((b"\n\n", b"\n\r\n")) else line_end
    after = b"" if content[entity.end : entity.end + 1] in {b"\r", b"\n"} else line_end
    yield Edit(entity.body_start, entity.end, before + STAND_IN + after)


def _line_end(lines: bytes) -> bytes:
    return b"\n" if lines.endswith(b"\n") and not lines.endswith(b"\r\n") else b"\r\n"


def _applies(message: StepMessage, context: Context) -> bool:
    return context.destination.encapsulation == "strip" and any(map(is_encapsulation, message.root.walk()))


def _edits(message: StepMessage, _context: Context) -> tuple[Edit, ...]:
    return tuple(sorted(_stripped(message.content, message.root)))


STEP = Step(
    name="encapsulation",
    description="Encapsulated Notes rich text is stripped for systems that do not keep it.",
    applies=_applies,
    change=_edits,
    on_failure="dead_letter",
)
