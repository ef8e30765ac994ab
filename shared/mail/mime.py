"""The MIME tree of a message as spans into its bytes (RFC 2045, RFC 2046): nothing is copied, nothing is changed.

Reading is lenient: any bytes are some message, and only a broken limit raises. Line ends are CRLF; LF alone is accepted
too. One pass over the content, whatever its nesting: a line that delimits any open multipart ends all that is inside
it, as RFC 2046 section 5.1.2 requires.

Quirks: boundaries of Notes hold blanks (`=_alternative 006E25D1852585E3_=`); a multipart that claims base64 or
quoted-printable (which RFC 2045 section 6.4 forbids) is not encoded when its delimiter lines can be seen, so its parts
are read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from shared.errors import MalformedMessage
from shared.mail.header import Field, decode_words, parameters, read_fields
from shared.mail.transfer import IDENTITIES, decode

_MESSAGES = frozenset(("message/rfc822", "message/global"))
_PROTECTED = frozenset(
    (
        "multipart/signed",
        "multipart/encrypted",
        "application/pkcs7-mime",
        "application/x-pkcs7-mime",
        "application/pgp-encrypted",
        "application/pgp",
    )
)
_PGP_ARMOUR = b"-----BEGIN PGP "
_PGP_MESSAGES = (_PGP_ARMOUR + b"SIGNED MESSAGE-----", _PGP_ARMOUR + b"MESSAGE-----")
_MAX_BOUNDARY = 70  # bytes (RFC 2046 section 5.1.1); longer boundaries are accepted too
_NO_PARAMETERS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits on the structure of a message.

    depth: levels below the message. parts: entities, itself included. header_bytes: bytes of one header.
    """

    depth: int = 100
    parts: int = 10_000
    header_bytes: int = 256 * 1024


@dataclass(frozen=True, slots=True)
class Entity:
    """A message or a part of one (RFC 2045 section 2.4): header and body as spans.

    start, end: the entity; the CRLF before the next delimiter line is not in it, unless that CRLF also ends the header.
    body_start: after the empty line. content_type: lower case, the default if none is given. transfer_encoding: lower
    case, "7bit" if none is given. disposition: "inline", "attachment", another word, or "". filename: decoded; of the
    disposition, else the type's name. content_id: without angle brackets. children: of a multipart, or the one message
    of a message/rfc822 that is not encoded. part_start, part_end: of a multipart's child, from its delimiter line up to
    the next one, so that to delete them is to delete the part; of any other entity the same as start and end.
    is_protected: signed or encrypted, or inside something that is: never edited, save the header fields of the
    message itself.
    """

    start: int
    end: int
    fields: tuple[Field, ...]
    body_start: int
    content_type: str
    parameters: Mapping[str, str]
    transfer_encoding: str
    disposition: str
    filename: str | None
    content_id: str | None
    children: tuple[Entity, ...]
    part_start: int
    part_end: int
    is_protected: bool

    def walk(self) -> Iterator[Entity]:
        """Yield this entity and all below it, in the order of the content."""
        waiting = [self]
        while waiting:
            entity = waiting.pop()
            yield entity
            waiting += reversed(entity.children)

    def find(self, name: str) -> Field | None:
        """Return the first field of that name, in any case, or None."""
        wanted = name.lower()
        return next((field for field in self.fields if field.name == wanted), None)

    def all(self, name: str) -> list[Field]:
        """Return the fields of that name, in any case and in their order."""
        wanted = name.lower()
        return [field for field in self.fields if field.name == wanted]


DEFAULT_LIMITS = Limits()


def parse(content: bytes, limits: Limits = DEFAULT_LIMITS) -> Entity:
    """Return the tree of a message. Raises MalformedMessage when a limit is broken, and only then."""
    return _Reader(content, limits).entity(0, None, "text/plain", 0, False)


class _Delimiter(NamedTuple):
    """A delimiter line of an open multipart, or the end of the content (boundary None).

    body_end: the end of the preceding part, without the CRLF that belongs to the delimiter.
    """

    body_end: int
    start: int
    end: int
    boundary: bytes | None
    closes: bool


class _Reader:
    """Reads entities one after another. `delimiter` is the line that ended the entity read last."""

    def __init__(self, content: bytes, limits: Limits) -> None:
        self.content = content
        self.limits = limits
        self.entities = 0
        self.open: set[bytes] = set()
        self.needle = b""  # what every delimiter line of an open multipart starts with, and the line feed before it
        self.delimiter = self._end_of_content()

    def entity(self, start: int, part_start: int | None, default_type: str, depth: int, is_protected: bool) -> Entity:
        """Read the entity at `start`, all below it, and the delimiter that ends it.

        part_start: where the delimiter line of a multipart's child starts.
        """
        content = self.content
        self.entities += 1
        if self.entities > self.limits.parts:
            raise MalformedMessage(f"more than {self.limits.parts} parts")
        if depth > self.limits.depth:
            raise MalformedMessage(f"parts nested more than {self.limits.depth} deep")
        fields, body_start = read_fields(content, start, self.limits.header_bytes, self._is_delimiter)
        values: dict[str, str] = {}
        for field in fields:
            if field.name.startswith("content-") and field.name not in values:
                values[field.name] = field.value(content)

        content_type, type_parameters = _content_type(values.get("content-type"), default_type)
        encoding = parameters(values.get("content-transfer-encoding", ""))[0] or "7bit"
        disposition, disposition_parameters = parameters(values.get("content-disposition", ""))
        filename = disposition_parameters.get("filename") or type_parameters.get("name")
        protects = content_type in _PROTECTED or (filename or "").lower().endswith(".p7m")
        is_protected = is_protected or protects

        children: tuple[Entity, ...] = ()
        if content_type.startswith("multipart/"):
            child_type = "message/rfc822" if content_type == "multipart/digest" else "text/plain"
            boundary = type_parameters.get("boundary", "").rstrip().encode("utf-8", "surrogateescape")
            children = self._parts(body_start, boundary, child_type, depth, is_protected)
        elif content_type in _MESSAGES and encoding in IDENTITIES:
            children = (self.entity(body_start, None, "text/plain", depth + 1, is_protected),)
        else:
            self._advance(body_start)

        end = max(body_start, self.delimiter.body_end, children[-1].end if children else 0)
        if not is_protected and content_type.startswith("text/"):
            body = decode(content[body_start:end], encoding)
            is_protected = _PGP_ARMOUR in body and any(armour in body for armour in _PGP_MESSAGES)
        return Entity(
            start=start,
            end=end,
            fields=fields,
            body_start=body_start,
            content_type=content_type,
            parameters=MappingProxyType(type_parameters) if type_parameters else _NO_PARAMETERS,
            transfer_encoding=encoding,
            disposition=disposition,
            filename=decode_words(filename) if filename else None,
            content_id=_content_id(values.get("content-id")),
            children=children,
            part_start=start if part_start is None else part_start,
            part_end=end if part_start is None else self.delimiter.start,
            is_protected=is_protected,
        )

    def _parts(
        self, body_start: int, boundary: bytes, default_type: str, depth: int, is_protected: bool
    ) -> tuple[Entity, ...]:
        """Read the children of a multipart, and go on to the delimiter that ends the multipart itself.

        A boundary that an enclosing multipart uses delimits only there, so a multipart that repeats it has no parts.
        """
        if not boundary or boundary in self.open:
            self._advance(body_start)
            return ()
        children: list[Entity] = []
        self.open.add(boundary)
        self._sharpen()
        self._advance(body_start)
        while (part := self.delimiter).boundary == boundary and not part.closes:
            children.append(self.entity(part.end, part.start, default_type, depth + 1, is_protected))
        self.open.remove(boundary)
        self._sharpen()
        if part.boundary in (boundary, None):
            self._advance(part.end)  # over the epilogue
        return tuple(children)

    def _sharpen(self) -> None:
        """Set the needle to the common prefix of the open boundaries, so that lines of dashes cost almost nothing."""
        prefix = b""
        if self.open:
            low, high = min(self.open), max(self.open)
            length = next((at for at, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), len(low))
            prefix = low[: min(length, _MAX_BOUNDARY)]
        self.needle = b"\n--" + prefix

    def _advance(self, position: int) -> None:
        """Find the first delimiter of any open multipart from the line start `position` on."""
        self.delimiter = self._end_of_content()
        if not self.open:
            return
        content = self.content
        newline = content.find(self.needle, max(position - 1, 0))
        while newline >= 0:
            line_end = content.find(b"\n", newline + 1)
            if found := self._match(newline + 1, len(content) if line_end < 0 else line_end + 1):
                self.delimiter = found
                return
            newline = content.find(self.needle, line_end) if line_end >= 0 else -1

    def _end_of_content(self) -> _Delimiter:
        """Return the end of the content; it ends a multipart that was never closed just as a delimiter line would."""
        size = len(self.content)
        return _Delimiter(self._before_line_end(size) if self.open else size, size, size, None, False)

    def _before_line_end(self, position: int) -> int:
        if self.content[position - 1 : position] != b"\n":
            return position
        return position - (2 if self.content[position - 2 : position] == b"\r\n" else 1)

    def _is_delimiter(self, start: int) -> bool:
        line_end = self.content.find(b"\n", start)
        return self._match(start, len(self.content) if line_end < 0 else line_end + 1) is not None

    def _match(self, start: int, end: int) -> _Delimiter | None:
        """Return the delimiter that the line `content[start:end]` is, or None; blanks may follow the boundary."""
        text = self.content[start + 2 : end].rstrip(b" \t\r\n")
        closes = text not in self.open
        boundary = text.removesuffix(b"--") if closes else text
        if boundary not in self.open:
            return None
        return _Delimiter(self._before_line_end(start), start, end, boundary, closes)


def _content_type(value: str | None, default: str) -> tuple[str, dict[str, str]]:
    """Return type and parameters; a value without type and subtype is text/plain (RFC 2045 section 5.2)."""
    if value is None:
        return default, {}
    kind, given = parameters(value)
    main, _, sub = kind.partition("/")
    return (kind if main and sub and "/" not in sub else "text/plain"), given


def _content_id(value: str | None) -> str | None:
    """Return the id without its brackets, compared opaquely: Notes writes ids with an empty domain."""
    if value is None:
        return None
    opening, closing = value.find("<"), value.rfind(">")
    return value[opening + 1 : closing] if 0 <= opening < closing else value
