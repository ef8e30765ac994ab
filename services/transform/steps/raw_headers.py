"""Header text beyond ASCII, encoded as RFC 2047 and RFC 2231 require.

Old Notes clients, and gateways before them, put bytes of a national charset, or the escapes of ISO-2022-JP, right into
the header. Outlook shows them in the reader's own charset, and hosts without 8BITMIME refuse the message. So raw text
becomes encoded words in UTF-8 in

- unstructured fields: Subject, Comments, Content-Description and their like, and extension fields (`X-…`),
- display names of address fields, only the name being rewritten,

and an extended parameter (`filename*=`) where it names a file. Anything else stays, as does what is in no charset that
the bytes show, the text of the message declares, or `default_charset` of the system it comes from names; and UTF-8 in a
message sent as SMTPUTF8, where it is lawful (RFC 6532). A field without such bytes keeps its own: Outlook loses a
boundary in a header that is folded anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import quote_from_bytes

from services.transform.pipeline import Context, Step, StepMessage
from services.transform.public.fields import FIELDS
from services.transform.scope import OpenMessage, leaves_notes, open_messages
from shared.mail.address_list import read_addresses, write_name
from shared.mail.edits import Edit
from shared.mail.header import Field, decode_words, encode_words, fold
from shared.mail.mime import DEFAULT_LIMITS, Entity
from shared.mail.unlabelled import read_unlabelled

UNSTRUCTURED = frozenset({"subject", "comments", "keywords", "organization", "organisation", "content-description"})
_STRUCTURED_EXTENSIONS = frozenset({"x-priority", "x-msmail-priority"})
_FILE_NAMES = frozenset({"content-type", "content-disposition"})

_RAW = re.compile(rb"[\x80-\xff]|\x1b(?:\$[@B]|\$\([BD]|\(I)")
# One that never ends matches too, without its end: else every escape in it would be tried up to the end of the field.
_JIS_TEXT = re.compile(rb"(?:\x1b(?:\$\(?[@BD]|\(I)[^\x1b]*+)++(\x1b\([BHJ])?")
_FOLD = re.compile(r"\r?\n(?=[ \t])")
_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)
_FILE_NAME = re.compile(
    rb"(?<=;)(\s*)((?:file)?name)\s*=\s*(?:\"((?:[^\"\\]|\\.)*+)\"|([^;\"\s](?:[^;\"\r\n]*[^;\"\s])?))",
    re.IGNORECASE | re.DOTALL,
)
_LONGEST_PARAMETER = 200  # bytes of an extended value: some readers do not join sections (RFC 2231 section 3)
_SECTION_OCTETS = 60

Claims = tuple[str | None, str | None]  # the charset that text nearby declares, and the system's default


def _masked(octets: bytes) -> bytes:
    """Return the bytes with letters of ISO-2022-JP that look like signs of syntax masked, at their old places."""
    return _JIS_TEXT.sub(lambda found: b"\xff" * len(found[0]) if found[1] else found[0], octets)


def _unstructured(field: Field, content: bytes, claims: Claims) -> Iterator[Edit]:
    text = read_unlabelled(field.raw(content), *claims)
    if text is not None:
        name = content[field.start : field.value_start].rstrip(b": \t").decode("ascii")
        new = fold(name, encode_words(decode_words(_FOLD.sub("", text).strip())))
        yield Edit(field.start, field.end, new if content[field.end - 1 : field.end] == b"\n" else new.rstrip(b"\r\n"))


def _display_names(field: Field, content: bytes, claims: Claims) -> Iterator[Edit]:
    raw = field.raw(content)
    for mailbox in read_addresses(_masked(raw)):
        if not mailbox.name_span:
            continue
        start, end = mailbox.name_span
        octets = raw[start:end]
        text = read_unlabelled(octets, *claims) if _RAW.search(octets) else None
        if text is not None:
            name = decode_words(_unquoted(_FOLD.sub("", text)))
            yield Edit(field.value_start + start, field.value_start + end, _folded(write_name(name)))


def _unquoted(text: str) -> str:
    if len(text) > 1 and text.startswith('"') and text.endswith('"'):
        return _QUOTED_PAIR.sub(r"\1", text[1:-1])
    return text


def _folded(words: bytes) -> bytes:
    """Return encoded words one a line, as RFC 2047 section 2 wants lines of at most 76 characters."""
    return words.replace(b" ", b"\r\n ") if words.startswith(b"=?") else words


def _file_names(field: Field, content: bytes, claims: Claims) -> Iterator[Edit]:
    raw = field.raw(content)
    for found in _FILE_NAME.finditer(_masked(raw)):
        group = 3 if found[3] is not None else 4
        octets = raw[found.start(group) : found.end(group)]
        text = read_unlabelled(octets, *claims) if _RAW.search(octets) else None
        if text is not None:
            text = _FOLD.sub("", _QUOTED_PAIR.sub(r"\1", text) if group == 3 else text)
            parameter = _extended(found[2].decode("ascii"), decode_words(text))
            start = found.start(1 if parameter.startswith(b"\r\n") else 2)
            yield Edit(field.value_start + start, field.value_start + found.end(), parameter)


def _extended(name: str, value: str) -> bytes:
    """Return `name*=utf-8''…` (RFC 2231 section 4), in numbered sections of whole characters where it is long."""
    characters = [quote_from_bytes(one.encode("utf-8", "replace"), safe="!#$&+-.^_`|~") for one in value]
    encoded = "".join(characters)
    if len(encoded) <= _LONGEST_PARAMETER:
        return f"{name}*=utf-8''{encoded}".encode("ascii")
    sections = [""]
    for character in characters:
        if len(sections[-1]) + len(character) > _SECTION_OCTETS:
            sections.append("")
        sections[-1] += character
    sections[0] = f"utf-8''{sections[0]}"
    return ";".join(f"\r\n {name}*{at}*={section}" for at, section in enumerate(sections)).encode("ascii")


def _claims(message: OpenMessage, default: str | None) -> Claims:
    charsets = (part.parameters.get("charset") for part in message.parts if part.content_type.startswith("text/"))
    return next((charset for charset in charsets if charset), None), default


def _entity_edits(entity: Entity, content: bytes, claims: Claims, keeps_utf8: bool) -> list[Edit]:
    edits: list[Edit] = []
    for field in entity.fields:
        raw = field.raw(content)
        if not _RAW.search(raw) or (keeps_utf8 and _is_utf8(raw)):
            continue
        if field.name in FIELDS:
            edits += _display_names(field, content, claims)
        elif field.name in _FILE_NAMES:
            edits += _file_names(field, content, claims)
        elif field.name in UNSTRUCTURED or (field.name.startswith("x-") and field.name not in _STRUCTURED_EXTENSIONS):
            edits += _unstructured(field, content, claims)
    growth = sum(len(edit.replacement) - (edit.end - edit.start) for edit in edits)
    return edits if entity.body_start - entity.start + growth <= DEFAULT_LIMITS.header_bytes else []


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return b"\x1b" not in raw


def _applies(message: StepMessage, context: Context) -> bool:
    return leaves_notes(context) and any(
        _RAW.search(message.content, entity.start, entity.body_start) for entity in message.root.walk()
    )


def _edits(message: StepMessage, context: Context) -> tuple[Edit, ...]:
    content = message.content
    return tuple(
        sorted(
            edit
            for opened in open_messages(message.root)
            for claims in (_claims(opened, context.source.default_charset),)
            for entity in opened.parts or (opened.entity,)
            if _RAW.search(content, entity.start, entity.body_start)
            for edit in _entity_edits(entity, content, claims, context.envelope.smtputf8)
        )
    )


STEP = Step(
    name="raw_headers",
    description="Header text beyond ASCII is encoded as RFC 2047 and RFC 2231 require.",
    applies=_applies,
    change=_edits,
    on_failure="pass",
)
