"""Parts of a message taken out, so that what is left stays a valid message.

- A multipart keeps at least one part (RFC 2046 section 5.1.1). With one left it stays as it is: valid, and its header
  keeps its bytes. A multipart that held nothing else is removed whole from the one around it.
- Where nothing else is in the message, or in a message attached to it, a short text stands in.
- So it does for the root of a multipart/related (RFC 2387 section 3.4), which its other parts belong to.

Signed and encrypted parts are never entered, nor are delivery reports: what they return is evidence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import groupby

from shared.mail.edits import Edit
from shared.mail.mime import Entity
from shared.mail.transfer import encode_text

Goes = Callable[[Entity], bool]

_OF_THE_BODY = frozenset({"content-transfer-encoding", "content-disposition", "content-description", "content-md5"})


def is_closed(entity: Entity) -> bool:
    """Whether nothing inside may be changed."""
    return entity.is_protected or entity.content_type == "multipart/report"


def related_root(entity: Entity) -> Entity:
    """Return the part of a multipart/related that the others belong to (RFC 2387 section 3.2); it must have parts."""
    start = entity.parameters.get("start", "").strip("<> ")
    return next((child for child in entity.children if start and child.content_id == start), entity.children[0])


def taken_out(content: bytes, entity: Entity, goes: Goes, stand_in: str) -> Iterator[Edit]:
    """Yield the edits, in order, that remove the leaves for which `goes` is true from a message or a part."""
    if _is_nothing_else(entity, goes):
        yield from _stood_in_for_all(content, entity, stand_in)
    elif is_closed(entity):
        return
    elif not entity.content_type.startswith("multipart/"):
        for attached in entity.children:
            yield from taken_out(content, attached, goes, stand_in)
    else:
        root = related_root(entity) if entity.content_type == "multipart/related" and entity.children else None
        for is_going, run in groupby(
            entity.children, lambda child: child is not root and _is_nothing_else(child, goes)
        ):
            if is_going:
                yield _removal(content, list(run))
            else:
                for child in run:
                    yield from taken_out(content, child, goes, stand_in)


def stood_in(content: bytes, entity: Entity, text: str) -> Iterator[Edit]:
    """Yield the edits, in order, that put a text in the place of one leaf; its part keeps its other header fields."""
    charset, encoding, body = encode_text(text)
    line_end = _line_end(content[entity.start : entity.body_start])
    new = f"Content-Type: text/plain; charset={charset}".encode("ascii") + line_end
    if encoding != "7bit":
        new += f"Content-Transfer-Encoding: {encoding}".encode("ascii") + line_end
    content_type = entity.find("content-type")
    if content_type is None:
        at = entity.fields[0].start if entity.fields else entity.start
        yield Edit(at, at, new)
    for field in entity.fields:
        if field is content_type:
            yield Edit(field.start, field.end, new)
        elif field.name in _OF_THE_BODY or field.name == "content-type":
            yield Edit(field.start, field.end, b"")
    header = content[entity.start : entity.body_start]
    before = b"" if header.endswith((b"\n\n", b"\n\r\n")) or header in {b"\n", b"\r\n"} else line_end
    after = b"" if content[entity.end : entity.end + 1] in {b"\r", b"\n"} else line_end
    yield Edit(entity.body_start, entity.end, before + body.rstrip(b"\r\n") + after)


def _is_nothing_else(entity: Entity, goes: Goes) -> bool:
    """Whether the part goes, or is a multipart with nothing else in it."""
    if not entity.content_type.startswith("multipart/") or not entity.children:
        return goes(entity)
    return not is_closed(entity) and all(_is_nothing_else(child, goes) for child in entity.children)


def _removal(content: bytes, run: list[Entity]) -> Edit:
    """Delete neighbouring parts with their delimiter lines; where none follows, a closing one takes their place."""
    first, last = run[0], run[-1]
    if last.part_end < len(content):
        return Edit(first.part_start, last.part_end, b"")
    line = content[first.part_start : first.start]
    delimiter = line.rstrip(b" \t\r\n")
    return Edit(first.part_start, last.part_end, delimiter + b"--" + _line_end(line))


def _stood_in_for_all(content: bytes, entity: Entity, text: str) -> Iterator[Edit]:
    """Put the text in the place of the first part, and remove the others."""
    if not entity.children:
        yield from stood_in(content, entity, text)
        return
    yield from _stood_in_for_all(content, entity.children[0], text)
    if entity.children[1:]:
        yield _removal(content, list(entity.children[1:]))


def _line_end(lines: bytes) -> bytes:
    return b"\n" if lines.endswith(b"\n") and not lines.endswith(b"\r\n") else b"\r\n"
