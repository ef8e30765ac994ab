"""Mail beyond ASCII, written for a host that does not offer 8BITMIME (RFC 6152) or SMTPUTF8 (RFC 6531).

What cannot be written in ASCII without harm keeps its bytes: a host without 8BITMIME nearly always takes them, and a
sender has no use for a report that says it might not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from shared.mail.body import decode_body
from shared.mail.charset import decode
from shared.mail.edits import Edit, Edits, merge
from shared.mail.header import fold
from shared.mail.mime import Entity, parse
from shared.mail.raw_fields import UNKNOWN_CHARSET, Reader, raw_text_edits
from shared.mail.transfer import IDENTITIES, encode_base64, encode_quoted_printable, has_crlf_only
from shared.mail.unlabelled import read_unlabelled

_HIGH = re.compile(rb"[\x80-\xff]")
_HIGH_TO_HIGH = re.compile(rb"[\x80-\xff](?:.*[\x80-\xff])?", re.DOTALL)
_QUESTION_MARKS = bytes(range(128)) + b"?" * 128
_EMPTY_LINE = re.compile(rb"(?:\A|\n)(\r?\n)\Z")
_CAN_ENCODE = IDENTITIES | {"quoted-printable", "base64"}


def to_seven_bit(content: bytes) -> Edits:
    """Return the edits that write a message in ASCII as far as nothing is lost; every part decodes to its old bytes.

    A part that holds bytes above 127 becomes quoted-printable or base64; what encloses it no longer claims 8bit or
    binary once nothing in it is. Raw header text becomes encoded words, and raw file names extended parameters: see
    `raw_fields`. In a preamble or epilogue, which no client shows, the bytes become "?". These keep their bytes: what
    is inside a signed or encrypted part, message/delivery-status and its like (RFC 2046 section 5.2), a part in an
    unknown transfer encoding, addresses, and structured fields.
    Raises MalformedMessage as `parse` does.
    """
    if content.isascii():
        return ()
    return merge(list(_Downgrade(content).edits(parse(content), is_message=True)))


def to_ascii_headers(content: bytes) -> Edits:
    """Return the edits that write raw header text in ASCII, and nothing else: for a host without SMTPUTF8.

    Raises MalformedMessage as `parse` does.
    """
    if content.isascii():
        return ()
    downgrade = _Downgrade(content)
    return merge(list(downgrade.header_edits_below(parse(content))))


class _Downgrade:
    """Visits entities in the order of the content, so that one scan finds all bytes above 127 at any nesting."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._next_high = -1
        self._read: Reader = read_unlabelled

    def edits(self, entity: Entity, *, is_message: bool) -> Iterator[Edit]:
        """Yield the edits of an entity that nothing encloses which is signed or encrypted."""
        if not self._holds_high(entity.start, entity.end):
            return
        if is_message:
            self._read = _reader(entity)
        header = self._header(entity) if self._holds_high(entity.start, entity.body_start) else []
        if entity.is_protected or not self._holds_high(entity.body_start, entity.end):
            yield from header
        elif entity.children:
            yield from self._container(entity, header)
        elif _may_be_encoded(entity):
            yield from merge(header, _leaf(self._content, entity, is_message))
        else:
            yield from header

    def header_edits_below(self, root: Entity) -> Iterator[Edit]:
        """Yield the edits of the header of an entity and of all below it that is not signed or encrypted."""
        waiting = [(root, _reader(root))]
        while waiting:
            entity, self._read = waiting.pop()
            if not self._holds_high(entity.start, entity.end):
                continue
            if self._holds_high(entity.start, entity.body_start):
                yield from self._header(entity)
            if not entity.is_protected:
                is_multipart = entity.content_type.startswith("multipart/")
                waiting += [(child, self._read if is_multipart else _reader(child)) for child in entity.children[::-1]]

    def _holds_high(self, start: int, end: int) -> bool:
        if self._next_high < start:
            found = _HIGH.search(self._content, start)
            self._next_high = found.start() if found else len(self._content)
        return self._next_high < end

    def _header(self, entity: Entity) -> list[Edit]:
        return raw_text_edits(entity, self._content, self._read, keeps=bytes.isascii, labels_unknown=True)

    def _container(self, entity: Entity, header: list[Edit]) -> Iterator[Edit]:
        is_multipart = entity.content_type.startswith("multipart/")
        if not is_multipart and not _EMPTY_LINE.search(self._content[entity.start : entity.body_start]):
            yield from header  # labels for the message inside would be read as those of this one
            return
        read, below, position = self._read, list[Edit](), entity.body_start
        for child in entity.children:
            below += self._unread(position, child.start)
            below += self.edits(child, is_message=not is_multipart)
            position = child.end
        below += self._unread(position, entity.end)
        self._read = read
        if entity.transfer_encoding in ("8bit", "binary") and self._is_ascii_after(entity, below):
            label = fold("Content-Transfer-Encoding", "7bit")
            header += [Edit(field.start, field.end, label) for field in entity.all("content-transfer-encoding")]
        yield from sorted(header)
        yield from below

    def _is_ascii_after(self, entity: Entity, edits: list[Edit]) -> bool:
        position = entity.body_start
        for edit in edits:
            if _HIGH.search(self._content, position, edit.start):
                return False
            position = edit.end
        return _HIGH.search(self._content, position, entity.end) is None

    def _unread(self, start: int, end: int) -> Iterator[Edit]:
        if found := _HIGH_TO_HIGH.search(self._content, start, end):
            yield Edit(found.start(), found.end(), found[0].translate(_QUESTION_MARKS))


def _reader(message: Entity) -> Reader:
    """Return what reads the header text of a message: by its own bytes, else by the charset of its text."""
    parts = (part.parameters.get("charset") for part in message.walk() if part.content_type.startswith("text/"))
    nearby = next((charset for charset in parts if charset), None)
    return lambda octets: read_unlabelled(octets, nearby)


def _may_be_encoded(entity: Entity) -> bool:
    main, _, sub = entity.content_type.partition("/")
    is_composite = main == "multipart" or (main == "message" and not sub.startswith("global"))
    return not is_composite and entity.transfer_encoding in _CAN_ENCODE


def _leaf(content: bytes, entity: Entity, is_message: bool) -> list[Edit]:
    octets = decode_body(content, entity)
    encoding, body = _encode(octets, is_text=entity.content_type.startswith("text/"))

    blank = _EMPTY_LINE.search(content[entity.start : entity.body_start])
    header_end = entity.body_start - (len(blank[1]) if blank else 0)
    added = []
    if is_message and not entity.find("mime-version"):
        added.append(fold("MIME-Version", "1.0"))
    if is_message and not entity.find("content-type"):
        added.append(fold("Content-Type", f"text/plain; charset={_charset(octets)}"))
    label = fold("Content-Transfer-Encoding", encoding)
    labels = entity.all("content-transfer-encoding")
    return [
        *(Edit(field.start, field.end, b"" if index else label) for index, field in enumerate(labels)),
        Edit(header_end, header_end, b"".join(added if labels else [*added, label])),
        Edit(entity.body_start, entity.end, body if blank else b"\r\n" + body),
    ]


def _encode(octets: bytes, *, is_text: bool) -> tuple[str, bytes]:
    """Return the shorter encoding; quoted-printable only for text whose line ends it keeps (RFC 2045 section 6.7)."""
    based = encode_base64(octets)
    if is_text and has_crlf_only(octets) and len(quoted := encode_quoted_printable(octets)) <= len(based):
        return "quoted-printable", quoted
    return "base64", based


def _charset(octets: bytes) -> str:
    """Return the charset of text that names none: UTF-8 where it is valid, else that of RFC 1428 section 3."""
    return UNKNOWN_CHARSET if decode(octets, "utf-8") is None else "utf-8"
