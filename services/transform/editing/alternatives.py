"""The visible text in each of its alternatives; and adding text to all of them.

A step that changes words in place reads `bodies` and returns their `edits`; one that has something to add calls
`add_block`. Nothing signed or encrypted is among the bodies, nor any attached text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from html import escape
from typing import Literal

from services.transform.editing.parts import related_root
from services.transform.editing.text_body import Replacement, TextBody, read_text
from shared.mail.edits import Edit, merge
from shared.mail.mime import Entity
from shared.mail.transfer import encode_text

_BODY_TYPES = frozenset({"text/plain", "text/html"})
_HTML_END = re.compile(r"</(body|html)\b", re.IGNORECASE)
_HTML_START = re.compile(r"<body\b(?:[^>\"']++|\"[^\"]*+\"|'[^']*+')*+>", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Block:
    """The same words twice: lines of plain text parted by LF, and an HTML fragment in which all is escaped."""

    text: str
    html: str

    @classmethod
    def of(cls, text: str) -> Block:
        """Return a block of plain words: one paragraph, its lines kept."""
        return cls(text, f"<p>{escape(text).replace(chr(10), '<br>' + chr(10))}</p>")


def body_parts(root: Entity, is_file: Callable[[Entity], bool] = lambda _part: False) -> list[Entity]:
    """Return the parts that hold the message's own text, one an alternative; none where it shows no text of its own.

    The first text of a multipart/mixed, the root of a multipart/related, all of a multipart/alternative; no attachment,
    and no part for which `is_file` is true.
    """
    if root.is_protected or root.disposition == "attachment" or is_file(root):
        return []
    if root.content_type in _BODY_TYPES:
        return [root]
    if not root.content_type.startswith("multipart/") or not root.children:
        return []
    if root.content_type == "multipart/related":
        return body_parts(related_root(root), is_file)
    if root.content_type == "multipart/alternative":
        return [part for child in root.children for part in body_parts(child, is_file)]
    return next((parts for child in root.children if (parts := body_parts(child, is_file))), [])


def bodies(content: bytes, root: Entity, is_file: Callable[[Entity], bool] = lambda _part: False) -> list[TextBody]:
    """Return the message's own text in each of its alternatives, ready for edits; see `body_parts`."""
    return [body for part in body_parts(root, is_file) if (body := read_text(content, part))]


def add_block(content: bytes, root: Entity, block: Block, at: Literal["start", "end"] = "end") -> list[Edit]:
    """Return the edits that add a block to each alternative of the message's own text.

    A message without text of its own gets a first part that holds it, and becomes a multipart/mixed where it is a
    single file; no edits where it is signed, encrypted, or some other multipart or text.
    """
    found = bodies(content, root)
    if not found:
        return _new_part(content, root, block)
    return list(merge(*(body.edits([block_in(body, block, at)]) for body in found)))


def block_in(body: TextBody, block: Block, at: Literal["start", "end"] = "end") -> Replacement:
    """Return what puts the block at the start or the end of one alternative."""
    newline = body.newline
    if body.is_html:
        text = block.html.replace("\n", newline)
        if at == "start":
            place = found.end() if (found := _HTML_START.search(body.text)) else 0
            return Replacement(place, place, f"{newline}{text}")
        place = _html_end(body.text)
        return Replacement(place, place, f"{text}{newline}")
    text = block.text.replace("\n", newline)
    if at == "start":
        return Replacement(0, 0, f"{text}{newline}{newline}")
    place = len(body.text.rstrip())
    return Replacement(place, place, f"{newline}{newline}{text}" if place else text)


def _html_end(text: str) -> int:
    """Return where the body ends: before its last end tag, else before the last one of the whole, else at the end."""
    ends = {found[1].lower(): found.start() for found in _HTML_END.finditer(text)}
    return ends.get("body", ends.get("html", len(text)))


def _new_part(content: bytes, root: Entity, block: Block) -> list[Edit]:
    if root.is_protected:
        return []
    if root.content_type == "multipart/mixed" and root.children:
        first = root.children[0]
        delimiter = content[first.part_start : first.start]
        return [Edit(first.part_start, first.part_start, delimiter + _text_part(block.text))]
    if root.content_type.startswith(("multipart/", "text/")):
        return []
    return _wrapped(content, root, block)


def _text_part(text: str) -> bytes:
    charset, encoding, body = encode_text(text)
    header = f"Content-Type: text/plain; charset={charset}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
    return header.encode("ascii") + body.rstrip(b"\r\n") + b"\r\n"


def _wrapped(content: bytes, root: Entity, block: Block) -> list[Edit]:
    """Make the message a multipart/mixed of the block and what it held; the fields that describe it move with it."""
    boundary = f"=_{sha256(content[root.start : root.end]).hexdigest()[:40]}"
    delimiter = f"--{boundary}\r\n".encode("ascii")
    moved = [field for field in root.fields if field.name.startswith("content-")]
    mime_version = "" if root.find("mime-version") else "MIME-Version: 1.0\r\n"
    new_fields = f'{mime_version}Content-Type: multipart/mixed; boundary="{boundary}"\r\n'.encode("ascii")
    part_header = b"".join(content[field.start : field.end] for field in moved) + b"\r\n"
    return [
        Edit(moved[0].start, moved[0].end, new_fields),
        *(Edit(field.start, field.end, b"") for field in moved[1:]),
        Edit(root.body_start, root.body_start, delimiter + _text_part(block.text) + delimiter + part_header),
        Edit(root.end, root.end, b"\r\n" + delimiter[:-2] + b"--\r\n"),
    ]
