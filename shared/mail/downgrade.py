"""Mail with bytes above 127, made fit for a host that does not offer 8BITMIME (RFC 6152 section 3)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from shared.errors import CannotDowngrade
from shared.mail.body import decode_body
from shared.mail.edits import Edit, Edits, merge
from shared.mail.header import fold
from shared.mail.mime import Entity, parse
from shared.mail.transfer import IDENTITIES, encode_base64, encode_quoted_printable, has_crlf_only

_HIGH = re.compile(rb"[\x80-\xff]")
_HIGH_TO_HIGH = re.compile(rb"[\x80-\xff](?:.*[\x80-\xff])?", re.DOTALL)
_QUESTION_MARKS = bytes(range(128)) + b"?" * 128
_EMPTY_LINE = re.compile(rb"(?:\A|\n)(\r?\n)\Z")
_CAN_ENCODE = IDENTITIES | {"quoted-printable", "base64"}


def to_seven_bit(content: bytes) -> Edits:
    """Return the edits after which every byte is below 128 and every part decodes to the bytes it had before.

    A part that holds bytes above 127 becomes quoted-printable or base64; what encloses it no longer claims 8bit or
    binary. Nothing else is touched, so a message without such bytes gets no edits. In a preamble or epilogue, which
    no client shows, the bytes become "?". Raises CannotDowngrade for such bytes in a header, in a signed or encrypted
    part, or in a part whose type or unknown transfer encoding forbids to encode it; MalformedMessage as `parse` does.
    """
    if content.isascii():
        return ()
    return merge(list(_Downgrade(content).edits(parse(content), is_message=True)))


class _Downgrade:
    """Visits entities in the order of the content, so that one scan finds all bytes above 127 at any nesting."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._next_high = -1

    def edits(self, entity: Entity, *, is_message: bool) -> Iterator[Edit]:
        if not self._holds_high(entity.start, entity.end):
            return
        if self._holds_high(entity.start, entity.body_start):
            raise CannotDowngrade("a header field holds bytes above 127")
        if entity.is_protected:
            raise CannotDowngrade(f"a signed or encrypted part ({entity.content_type}) holds bytes above 127")
        if entity.children:
            yield from self._container(entity)
        else:
            yield from _leaf(self._content, entity, is_message)

    def _holds_high(self, start: int, end: int) -> bool:
        if self._next_high < start:
            found = _HIGH.search(self._content, start)
            self._next_high = found.start() if found else len(self._content)
        return self._next_high < end

    def _container(self, entity: Entity) -> Iterator[Edit]:
        if not entity.parameters.get("boundary", "").isascii():
            raise CannotDowngrade("a boundary holds bytes above 127")
        is_multipart = entity.content_type.startswith("multipart/")
        if not is_multipart and not _EMPTY_LINE.search(self._content[entity.start : entity.body_start]):
            raise CannotDowngrade("no empty line parts a header from the message it encloses")
        if entity.transfer_encoding in ("8bit", "binary"):
            for field in entity.all("content-transfer-encoding"):
                yield Edit(field.start, field.end, fold("Content-Transfer-Encoding", "7bit"))
        position = entity.body_start
        for child in entity.children:
            yield from self._unread(position, child.start)
            yield from self.edits(child, is_message=not is_multipart)
            position = child.end
        yield from self._unread(position, entity.end)

    def _unread(self, start: int, end: int) -> Iterator[Edit]:
        if found := _HIGH_TO_HIGH.search(self._content, start, end):
            yield Edit(found.start(), found.end(), found[0].translate(_QUESTION_MARKS))


def _leaf(content: bytes, entity: Entity, is_message: bool) -> Iterator[Edit]:
    main, _, sub = entity.content_type.partition("/")
    if main == "multipart" or (main == "message" and not sub.startswith("global")):
        raise CannotDowngrade(f"{entity.content_type} holds bytes above 127 and may not be encoded (RFC 2046)")
    if entity.transfer_encoding not in _CAN_ENCODE:
        raise CannotDowngrade(f"bytes above 127 in the unknown encoding {entity.transfer_encoding}")
    octets = decode_body(content, entity)
    encoding, body = _encode(octets, is_text=main == "text")

    blank = _EMPTY_LINE.search(content[entity.start : entity.body_start])
    header_end = entity.body_start - (len(blank[1]) if blank else 0)
    added = []
    if is_message and not entity.find("mime-version"):
        added.append(fold("MIME-Version", "1.0"))
    if is_message and not entity.find("content-type"):
        added.append(fold("Content-Type", f"text/plain; charset={_charset(octets)}"))
    label = fold("Content-Transfer-Encoding", encoding)
    told = entity.all("content-transfer-encoding")
    for index, field in enumerate(told):
        yield Edit(field.start, field.end, b"" if index else label)
    yield Edit(header_end, header_end, b"".join(added if told else [*added, label]))
    yield Edit(entity.body_start, entity.end, body if blank else b"\r\n" + body)


def _encode(octets: bytes, *, is_text: bool) -> tuple[str, bytes]:
    """Return the shorter encoding; quoted-printable only for text whose line ends it keeps (RFC 2045 section 6.7)."""
    based = encode_base64(octets)
    if is_text and has_crlf_only(octets) and len(quoted := encode_quoted_printable(octets)) <= len(based):
        return "quoted-printable", quoted
    return "base64", based


def _charset(octets: bytes) -> str:
    """Return the charset of text that names none: UTF-8 where it is valid, else that of RFC 1428 section 3."""
    try:
        octets.decode()
    except UnicodeDecodeError:
        return "unknown-8bit"
    return "utf-8"
