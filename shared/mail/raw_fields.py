"""Raw text beyond ASCII in header fields, written as encoded words (RFC 2047) and extended parameters (RFC 2231).

Which fields: unstructured ones (Subject, Comments and their like, and extension fields), the display names of address
fields, and the file names of Content-Type and Content-Disposition. Anything else keeps its bytes, and so does a field
without raw text: Outlook loses a boundary in a header that is folded anew.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from urllib.parse import quote_from_bytes

from shared.mail.address_fields import FIELDS
from shared.mail.address_list import read_addresses, write_name
from shared.mail.edits import Edit
from shared.mail.encoded_words import decode_words, encode_bytes, encode_words
from shared.mail.header import Field, fold
from shared.mail.mime import DEFAULT_LIMITS, Entity

UNSTRUCTURED = frozenset({"subject", "comments", "keywords", "organization", "organisation", "content-description"})
_STRUCTURED_EXTENSIONS = frozenset({"x-priority", "x-msmail-priority"})
_FILE_NAMES = frozenset({"content-type", "content-disposition"})
UNKNOWN_CHARSET = "unknown-8bit"
"""RFC 1428 section 3: of bytes whose charset is not known."""

RAW = re.compile(rb"[\x80-\xff]|\x1b(?:\$[@B]|\$\([BD]|\(I)")
"""A byte above 127, or an escape of ISO-2022-JP."""

# One that never ends matches too, without its end: else every escape in it would be tried up to the end of the field.
_JIS_TEXT = re.compile(rb"(?:\x1b(?:\$\(?[@BD]|\(I)[^\x1b]*+)++(\x1b\([BHJ])?")
_FOLD = re.compile(r"\r?\n(?=[ \t])")
_FOLD_BYTES = re.compile(rb"\r?\n(?=[ \t])")
_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)
_QUOTED_PAIR_BYTES = re.compile(rb"\\(.)", re.DOTALL)
_FILE_NAME = re.compile(
    rb"(?<=;)(\s*)((?:file)?name)\s*=\s*(?:\"((?:[^\"\\]|\\.)*+)\"|([^;\"\s](?:[^;\"\r\n]*[^;\"\s])?))",
    re.IGNORECASE | re.DOTALL,
)
_LONGEST_PARAMETER = 200  # bytes of an extended value: some readers do not join sections (RFC 2231 section 3)
_SECTION_BYTES = 60

Reader = Callable[[bytes], str | None]
"""Returns raw bytes as text, or None where their charset is not known."""


def raw_text_edits(
    entity: Entity,
    content: bytes,
    read: Reader,
    *,
    keeps: Callable[[bytes], bool],
    labels_unknown: bool = False,
) -> list[Edit]:
    """Return the edits that write the raw text of an entity's header in ASCII, in the order of the content.

    keeps: whether a field with this value stays as it is. Text that `read` does not know keeps its bytes; with
    `labels_unknown` it becomes encoded words of UNKNOWN_CHARSET. None at all for a header that would grow beyond what
    `parse` takes.
    """
    writer = _Writer(content, read, labels_unknown)
    edits: list[Edit] = []
    for field in entity.fields:
        raw = field.raw(content)
        if not RAW.search(raw) or keeps(raw):
            continue
        if field.name in FIELDS:
            edits += writer.display_names(field)
        elif field.name in _FILE_NAMES:
            edits += writer.file_names(field)
        elif field.name in UNSTRUCTURED or (field.name.startswith("x-") and field.name not in _STRUCTURED_EXTENSIONS):
            edits += writer.unstructured(field)
    growth = sum(len(edit.replacement) - (edit.end - edit.start) for edit in edits)
    return edits if entity.body_start - entity.start + growth <= DEFAULT_LIMITS.header_bytes else []


class _Writer:
    def __init__(self, content: bytes, read: Reader, labels_unknown: bool) -> None:
        self._content = content
        self._read = read
        self._labels_unknown = labels_unknown

    def unstructured(self, field: Field) -> Iterator[Edit]:
        raw = field.raw(self._content)
        text = self._read(raw)
        if text is not None:
            value = encode_words(decode_words(_FOLD.sub("", text).strip()))
        elif self._labels_unknown:
            value = encode_bytes(_FOLD_BYTES.sub(b"", raw).strip(), UNKNOWN_CHARSET)
        else:
            return
        name = self._content[field.start : field.value_start].rstrip(b": \t").decode("ascii")
        new = fold(name, value)
        is_whole = self._content[field.end - 1 : field.end] == b"\n"
        yield Edit(field.start, field.end, new if is_whole else new.rstrip(b"\r\n"))

    def display_names(self, field: Field) -> Iterator[Edit]:
        raw = field.raw(self._content)
        for mailbox in read_addresses(_masked(raw)):
            if not mailbox.name_span:
                continue
            start, end = mailbox.name_span
            octets = raw[start:end]
            if not RAW.search(octets):
                continue
            text = self._read(octets)
            if text is not None:
                words = write_name(decode_words(_unquoted(_FOLD.sub("", text))))
            elif self._labels_unknown:
                words = encode_bytes(_unquoted_bytes(_FOLD_BYTES.sub(b"", octets)), UNKNOWN_CHARSET).encode("ascii")
            else:
                continue
            yield Edit(field.value_start + start, field.value_start + end, _folded(words))

    def file_names(self, field: Field) -> Iterator[Edit]:
        raw = field.raw(self._content)
        for found in _FILE_NAME.finditer(_masked(raw)):
            group = 3 if found[3] is not None else 4
            octets = raw[found.start(group) : found.end(group)]
            if not RAW.search(octets):
                continue
            text = self._read(octets)
            if text is not None:
                text = _FOLD.sub("", _QUOTED_PAIR.sub(r"\1", text) if group == 3 else text)
                parameter = _extended(found[2].decode("ascii"), decode_words(text))
            elif self._labels_unknown:
                octets = _FOLD_BYTES.sub(b"", _QUOTED_PAIR_BYTES.sub(rb"\1", octets) if group == 3 else octets)
                characters = [quote_from_bytes(bytes((octet,)), safe=_SAFE) for octet in octets]
                parameter = _sections(found[2].decode("ascii"), UNKNOWN_CHARSET, characters)
            else:
                continue
            start = found.start(1 if parameter.startswith(b"\r\n") else 2)
            yield Edit(field.value_start + start, field.value_start + found.end(), parameter)


def _masked(octets: bytes) -> bytes:
    """Return the bytes with letters of ISO-2022-JP that look like signs of syntax masked, at their old places."""
    return _JIS_TEXT.sub(lambda found: b"\xff" * len(found[0]) if found[1] else found[0], octets)


def _unquoted(text: str) -> str:
    if len(text) > 1 and text.startswith('"') and text.endswith('"'):
        return _QUOTED_PAIR.sub(r"\1", text[1:-1])
    return text


def _unquoted_bytes(octets: bytes) -> bytes:
    if len(octets) > 1 and octets.startswith(b'"') and octets.endswith(b'"'):
        return _QUOTED_PAIR_BYTES.sub(rb"\1", octets[1:-1])
    return octets


def _folded(words: bytes) -> bytes:
    """Return encoded words one a line, as RFC 2047 section 2 wants lines of at most 76 characters."""
    return words.replace(b" ", b"\r\n ") if words.startswith(b"=?") else words


_SAFE = "!#$&+-.^_`|~"


def _extended(name: str, value: str) -> bytes:
    """Return `name*=utf-8''…` (RFC 2231 section 4)."""
    characters = [quote_from_bytes(character.encode("utf-8", "replace"), safe=_SAFE) for character in value]
    return _sections(name, "utf-8", characters)


def _sections(name: str, charset: str, characters: list[str]) -> bytes:
    """Return an extended parameter, in numbered sections of whole characters where it is long."""
    encoded = "".join(characters)
    if len(encoded) <= _LONGEST_PARAMETER:
        return f"{name}*={charset}''{encoded}".encode("ascii")
    sections = [""]
    for character in characters:
        if len(sections[-1]) + len(character) > _SECTION_BYTES:
            sections.append("")
        sections[-1] += character
    sections[0] = f"{charset}''{sections[0]}"
    return ";".join(f"\r\n {name}*{at}*={section}" for at, section in enumerate(sections)).encode("ascii")
