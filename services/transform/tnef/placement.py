"""The edits that replace a stream in a message by its content.

Only the part is replaced, and the body next to it, if the two are merged. A text next to a stream is usually a plain
version of the stream's body. If the stream contains every word of the text, or has no text of its own, the two become
one multipart/alternative with the text's own bytes as the first form. Any other text is unchanged and precedes the body
of the stream. No visible text is lost except blanks.

Quirks: Exchange writes a text of a single empty line beside a meeting; characters that the text's charset has not are
`?` in it, links and pictures `<http://…>` and `[cid:…]`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from services.transform.html import text as html_text
from services.transform.tnef.content import Content
from services.transform.tnef.parts import Part, multipart, text_part
from shared.mail.body import decode_text
from shared.mail.edits import Edit
from shared.mail.mime import Entity

KEPT = "X-Causeway-Kept"
"""A field of a stream that is kept next to its converted content, so that it is not converted again in another pass."""

_KEPT_FIELD = f"{KEPT}: tnef\r\n".encode()
_SINGLE = frozenset(("multipart/alternative", "multipart/related"))  # where a part stands for one thing
_OF_THE_BODY = frozenset(
    ("content-type", "content-transfer-encoding", "content-disposition", "content-description", "content-md5")
)
_REFERENCE = re.compile(r"<(?:https?|ftp|mailto|cid|file|notes):[^<>]*>|\[cid:[^\]\[]*\]", re.IGNORECASE)
_NOT_WORDS = re.compile(r"[\W_]+")
_NOT_ASCII_WORDS = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a stream is: in which multipart (None where it is a whole message), and in which message."""

    stream: Entity
    parent: Entity | None
    holder: Entity


def edits_for(content: bytes, place: Place, held: Content, *, may_join: bool = True) -> list[Edit]:
    """Return the edits of `content`. may_join: whether the body beside the stream is not yet joined with another's."""
    return list(_Placement(content, place, held).edits(may_join))


class _Placement:
    def __init__(self, content: bytes, place: Place, held: Content) -> None:
        self.content, self.stream, self.parent, self.holder = content, place.stream, place.parent, place.holder
        self.held = held

    def edits(self, may_join: bool) -> Iterator[Edit]:
        if self.parent is None:
            yield from self._whole_message(self.held.entity(*self._original()))
        elif self.parent.content_type in _SINGLE:
            yield self._instead(self.stream, bytes(self.held.entity(*self._original())))
        elif receipt := self._receipt(self.parent):
            yield from receipt
        else:
            yield from self._among(self.parent, may_join)

    def _original(self) -> list[bytes]:
        """Return the stream's own part, to be kept next to the readable content of a damaged stream."""
        if self.held.is_whole:
            return []
        fields = (self.content[f.start : f.end] for f in self.stream.fields if f.name.startswith("content-"))
        return [_KEPT_FIELD + b"".join(fields) + b"\r\n" + self.content[self.stream.body_start : self.stream.end]]

    def _whole_message(self, part: Part) -> Iterator[Edit]:
        """Put the content into the place of a message's body, and its fields into the place of the stream's."""
        stream = self.stream
        fields = [field for field in stream.fields if field.name in _OF_THE_BODY]
        for index, field in enumerate(fields):
            yield Edit(field.start, field.end, b"" if index else part.fields)
        header = self.content[stream.start : stream.body_start]
        before = b"" if header.endswith((b"\n\n", b"\n\r\n")) else b"\r\n"
        yield Edit(stream.body_start, stream.end, before + part.body + self._line_end_at(stream.end))

    def _receipt(self, parent: Entity) -> list[Edit] | None:
        """Make the message a report, where its multipart holds nothing but a receipt and a text."""
        others = [child for child in parent.children if child is not self.stream]
        content_type = parent.find("content-type")
        is_bare = len(others) <= 1 and all(other.content_type == "text/plain" for other in others)
        if not self.held.notification or parent is not self.holder or not is_bare or not content_type:
            return None
        shown = bytes(text_part(self.held.text))
        if others and decode_text(self.content, others[0]).strip():
            shown = self.content[others[0].start : others[0].end]
        report = self.held.report(shown, *self._original())
        body = report.body + self._line_end_at(parent.end)
        return [Edit(content_type.start, content_type.end, report.fields), Edit(parent.body_start, parent.end, body)]

    def _among(self, parent: Entity, may_join: bool) -> Iterator[Edit]:
        """Put body and attachments among the parts of a multipart/mixed."""
        stream, held = self.stream, self.held
        first = parent.children[0]
        joined = self._joined(first) if may_join and first is not stream else None
        body = held.body() if joined is None else None
        parts = [bytes(part) for part in (*([body] if body else []), *held.attachments)]
        if not parts and len(parent.children) == 1:
            parts = [bytes(text_part(""))]
        yield from joined or ()
        new = self._as_parts(stream, parts)
        if not held.is_whole:
            yield Edit(stream.part_start, stream.part_start, new)
            yield Edit(stream.start, stream.start, _KEPT_FIELD)
            return
        if stream.part_end == len(self.content):  # the multipart was never closed
            new += self.content[stream.part_start : stream.start].rstrip(b" \t\r\n") + b"--\r\n"
        yield Edit(stream.part_start, stream.part_end, new)

    def _joined(self, first: Entity) -> list[Edit] | None:
        """Return the edits that make the body of the message and that of the stream one; None where they differ."""
        if first.is_protected or first.disposition == "attachment":
            return None
        if first.content_type in ("text/plain", "text/html") and not first.children:
            return self._joined_with_text(first, first.content_type == "text/html")
        if first.content_type == "multipart/alternative":
            return self._joined_with_alternatives(first)
        return None

    def _joined_with_text(self, first: Entity, is_html: bool) -> list[Edit] | None:
        held, shown = self.held, decode_text(self.content, first)
        shown = html_text.to_text(shown) if is_html else shown
        if shown.strip() and not _covers(held.text, shown):
            return None
        is_richer = not is_html and not held.html and not _covers(shown, held.text)
        if is_richer or not shown.strip():
            body = held.body()
            return [self._instead(first, bytes(body))] if body else []
        further = [form for form in (None if is_html else held.html, held.calendar) if form]
        return list(self._wrapped(first, further)) if further else []

    def _joined_with_alternatives(self, first: Entity) -> list[Edit] | None:
        """Put HTML behind the plain text, and a calendar, which is the richest form, at the end."""
        texts = [child for child in first.children if child.content_type == "text/plain"]
        if not texts or not _covers(self.held.text, decode_text(self.content, texts[0])):
            return None
        has_html = any(entity.content_type == "text/html" for entity in first.walk())
        added: dict[int, bytes] = {}
        for form, before in (
            (None if has_html else self.held.html, texts[0]),
            (self.held.calendar, first.children[-1]),
        ):
            if form:
                added[before.part_end] = added.get(before.part_end, b"") + self._as_parts(before, [form])
        return [Edit(at, at, new) for at, new in added.items()]

    def _wrapped(self, first: Entity, further: list[Part]) -> Iterator[Edit]:
        """Make a part the first form of a multipart/alternative; its own bytes stay."""
        own = self.content[first.start : first.end]
        encoding = first.transfer_encoding if first.transfer_encoding in ("8bit", "binary") else "7bit"
        around = multipart("alternative", [own, *map(bytes, further)], encoding=encoding)
        start = len(around.fields) + 2 + around.body.index(b"\n") + 1
        yield Edit(first.start, first.start, bytes(around)[:start])
        yield Edit(first.end, first.end, bytes(around)[start + len(own) :] + self._line_end_at(first.end))

    def _instead(self, entity: Entity, octets: bytes) -> Edit:
        return Edit(entity.start, entity.end, octets + self._line_end_at(entity.end))

    def _as_parts(self, neighbour: Entity, parts: list[Part] | list[bytes]) -> bytes:
        """Return the parts with delimiter lines as their neighbour has, to stand before or behind it."""
        line = self.content[neighbour.part_start : neighbour.start]
        line = line if line.endswith(b"\n") else line + b"\r\n"
        return b"".join(b"%s%s\r\n" % (line, bytes(part)) for part in parts)

    def _line_end_at(self, end: int) -> bytes:
        """Return the line end that is missing where a delimiter follows, or the end of the message."""
        return b"" if self.content[end : end + 1] in (b"\r", b"\n") else b"\r\n"


def _covers(inside: str, shown: str) -> bool:
    """Whether a text contains every word of another; true if the other has no words."""
    inside, shown = (_REFERENCE.sub("", text).lower() for text in (inside, shown))
    if not inside.strip() or _NOT_WORDS.sub("", shown) in _NOT_WORDS.sub("", inside):
        return True
    is_poor = "?" in shown or "\ufffd" in shown
    return is_poor and _NOT_ASCII_WORDS.sub("", shown) in _NOT_ASCII_WORDS.sub("", inside)
