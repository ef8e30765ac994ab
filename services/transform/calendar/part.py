"""The calendar part of a message (RFC 6047): where it is, and the edits that put another text into its place.

The invitation is a text/calendar part, or an application/ics one, that has a METHOD; a calendar that somebody attached
has none, and is nobody's business. Nothing inside signed, encrypted or attached messages is looked at.

Outlook wants the part as the last one of the multipart/alternative that holds the body. Where it is elsewhere it moves
there; where there is no such multipart, one is made around the body, or around a text of our own where there is none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from shared.calendar.ical import decode_calendar
from shared.mail.body import decode_body
from shared.mail.edits import Edit
from shared.mail.header import fold
from shared.mail.mime import Entity
from shared.mail.transfer import encode_base64, encode_quoted_printable, encode_text, is_seven_bit

TYPES = frozenset(("text/calendar", "application/ics"))
_OF_THE_BODY = ("content-type", "content-transfer-encoding", "content-md5", "content-length")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a calendar part is. above: the multiparts around it, outermost first."""

    entity: Entity
    above: tuple[Entity, ...]

    @property
    def is_in_alternative(self) -> bool:
        """Whether it is where Outlook looks for it."""
        return bool(self.above) and self.above[-1].content_type == "multipart/alternative"


def places(root: Entity) -> Iterator[Place]:
    """Yield the calendar parts of a message that may be changed, in their order."""
    waiting: list[Place] = [Place(root, ())]
    while waiting:
        place = waiting.pop()
        entity = place.entity
        if entity.is_protected or entity.content_type == "multipart/report":
            continue
        if entity.content_type in TYPES:
            yield place
        elif entity.content_type.startswith("multipart/"):
            waiting += [Place(child, (*place.above, entity)) for child in reversed(entity.children)]


def read_text(content: bytes, entity: Entity) -> str:
    """Return the text of a calendar part, whatever its charset and transfer encoding are."""
    charset = entity.parameters.get("charset")
    return decode_calendar(decode_body(content, entity), charset)


def replace_calendar(content: bytes, place: Place, calendar: bytes, method: str) -> list[Edit]:
    """Return the edits that put a calendar into the place of one, with the method in its MIME type, where it is.

    calendar: UTF-8 with CRLF. Other header fields of the part stay as they are.
    """
    entity = place.entity
    charset, encoding, body = _encoded(calendar)
    new = {
        "content-type": fold("Content-Type", _content_type(charset, method)),
        "content-transfer-encoding": fold("Content-Transfer-Encoding", encoding),
    }
    told = [field for field in entity.fields if field.name in _OF_THE_BODY]
    edits = [Edit(field.start, field.end, new.pop(field.name, b"")) for field in told]
    header_end = entity.fields[-1].end if entity.fields else entity.start
    missing = b"".join(new.values())
    if header_end == entity.body_start:
        body, missing = missing + b"\r\n" + body, b""
    if missing:
        edits.append(Edit(header_end, header_end, missing))
    end = b"" if place.above and content[entity.end : entity.end + 1] in (b"\r", b"\n") else b"\r\n"
    return sorted([*edits, Edit(entity.body_start, entity.end, body.rstrip(b"\r\n") + end)])


def place_calendar(content: bytes, place: Place, calendar: bytes, method: str, fallback: str) -> list[Edit]:
    """Return the edits that put a calendar where Outlook looks for it, in the place of one that may be elsewhere.

    fallback: the text beside it where the message has no body.
    """
    if place.is_in_alternative:
        return replace_calendar(content, place, calendar, method)
    part = _part(calendar, method)
    if not place.above:
        return _wrap_message(content, place.entity, part, fallback)
    body = _body_beside(place)
    boundary = _boundary(content)
    if body is None:
        text = b"\r\n".join((_text_part(fallback), b"--" + boundary, part, b"--" + boundary + b"--"))
        return [_put(content, place.entity.start, place.entity.end, _alternative(boundary) + text)]
    if body.content_type == "multipart/alternative":
        end = body.children[-1].end
        added = _put(content, end, end, b"--" + _told_boundary(body) + b"\r\n" + part)
        return sorted([added, _removal(content, place.entity)])
    opening = Edit(body.start, body.start, _alternative(boundary))
    closing = b"--" + boundary + b"\r\n" + part + b"\r\n--" + boundary + b"--"
    return sorted([opening, _put(content, body.end, body.end, closing), _removal(content, place.entity)])


def _put(content: bytes, start: int, end: int, lines: bytes) -> Edit:
    """Put whole lines where a part ends, or into the place of one, and keep them lines of their own."""
    before = b"" if start < end else b"\r\n"
    if content[end : end + 1] in (b"\r", b"\n"):
        return Edit(start, end, before + lines)
    return Edit(start, end, (b"" if content[start - 1 : start] == b"\n" else before) + lines + b"\r\n")


def _removal(content: bytes, part: Entity) -> Edit:
    """Remove a part; where it was the last of a multipart that was never closed, close it."""
    if part.part_end < len(content):
        return Edit(part.part_start, part.part_end, b"")
    line = content[part.part_start : part.start]
    return Edit(part.part_start, part.part_end, line.rstrip(b" \t\r\n") + b"--\r\n")


def alternative(calendar: bytes, method: str, text: str) -> bytes:
    """Return Content-Type field and body of a new message that is a text and a calendar."""
    part = _part(calendar, method)
    boundary = _boundary(part + text.encode("utf-8", "replace"))
    delimiter = b"--" + boundary
    lines = (delimiter, _text_part(text), delimiter, part, delimiter + b"--", b"")
    return _alternative_field(boundary) + b"\r\n" + b"\r\n".join(lines)


def _encoded(calendar: bytes) -> tuple[str, str, bytes]:
    """Return charset, transfer encoding and body; always UTF-8, which every reader of calendars expects."""
    if is_seven_bit(calendar):
        return "utf-8", "7bit", calendar
    quoted, based = encode_quoted_printable(calendar), encode_base64(calendar)
    return ("utf-8", "quoted-printable", quoted) if len(quoted) <= len(based) else ("utf-8", "base64", based)


def _content_type(charset: str, method: str) -> str:
    return f"text/calendar; charset={charset}" + (f"; method={method}" if method else "")


def _part(calendar: bytes, method: str) -> bytes:
    """Return a whole new calendar part without the delimiter lines around it."""
    charset, encoding, body = _encoded(calendar)
    header = fold("Content-Type", _content_type(charset, method)) + fold("Content-Transfer-Encoding", encoding)
    return header + b"\r\n" + body.rstrip(b"\r\n")


def _text_part(text: str) -> bytes:
    charset, encoding, body = encode_text(text)
    header = fold("Content-Type", f"text/plain; charset={charset}") + fold("Content-Transfer-Encoding", encoding)
    return header + b"\r\n" + body.rstrip(b"\r\n")


def _boundary(content: bytes) -> bytes:
    """Return a boundary that is nowhere in the content, the same for the same content."""
    boundary = b"=_calendar_" + hashlib.sha256(content).hexdigest()[:32].encode()
    while boundary in content:
        boundary = boundary[:11] + hashlib.sha256(boundary).hexdigest()[:32].encode()
    return boundary


def _alternative_field(boundary: bytes) -> bytes:
    return fold("Content-Type", f'multipart/alternative; boundary="{boundary.decode()}"')


def _alternative(boundary: bytes) -> bytes:
    """Return header and first delimiter line of a multipart/alternative."""
    return _alternative_field(boundary) + b"\r\n--" + boundary + b"\r\n"


def _told_boundary(entity: Entity) -> bytes:
    return entity.parameters["boundary"].rstrip().encode("utf-8", "surrogateescape")


def _wrap_message(content: bytes, root: Entity, part: bytes, fallback: str) -> list[Edit]:
    """Make a message that is nothing but a calendar into text and calendar."""
    boundary = _boundary(content)
    kind = _alternative_field(boundary)
    edits: list[Edit] = []
    for field in root.fields:
        if field.name in _OF_THE_BODY:
            edits.append(Edit(field.start, field.end, kind))
            kind = b""
    delimiter = b"--" + boundary
    body = b"\r\n".join((delimiter, _text_part(fallback), delimiter, part, delimiter + b"--", b""))
    if not any(field.name == "mime-version" for field in root.fields) and edits:
        edits[0] = Edit(edits[0].start, edits[0].end, b"MIME-Version: 1.0\r\n" + edits[0].replacement)
    return [*edits, Edit(root.body_start, root.end, body)]


def _body_beside(place: Place) -> Entity | None:
    """Return the body that stands beside a calendar part: before it where there is one, else after it."""
    siblings = place.above[-1].children
    own = siblings.index(place.entity)
    return next((one for one in (*reversed(siblings[:own]), *siblings[own + 1 :]) if _is_body(one)), None)


def _is_body(entity: Entity) -> bool:
    if entity.is_protected or entity.disposition == "attachment" or entity.filename:
        return False
    if entity.content_type == "multipart/alternative":
        return bool(entity.children)
    return entity.content_type in ("text/plain", "text/html", "multipart/related")
