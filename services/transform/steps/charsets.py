"""The charset that a text declares, corrected where its octets cannot be in it.

Notes and the gateways before it label text wrongly: US-ASCII or ISO-8859-1 with the quotes and dashes of Windows-1252,
ISO-2022-JP without a label, names that only its author knows. Outlook believes the label and shows other characters.

Only the label changes, never the text, and only where a decoding test leaves no doubt (see `charset.recognise`):

- US-ASCII, told or meant by silence (RFC 2045 section 5.2), with octets above 127 or escapes of ISO-2022-JP;
- ISO-8859-1 with octets from 128 to 159, where it has only controls that no text uses;
- a name that stands for no charset we know; plain ASCII under such a name is US-ASCII.

A correct label stays as it is written. Attached files are not looked at: what they hold is their reader's business.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from services.transform.pipeline import Context, Step, StepMessage
from services.transform.scope import leaves_notes, open_messages
from shared.mail import charset as charsets
from shared.mail.body import decode_body
from shared.mail.edits import Edit
from shared.mail.header import Field
from shared.mail.mime import Entity
from shared.mail.parameters import parameters

_CHARSET = re.compile(rb";\s*charset\s*=\s*(\"[^\"]*\"|[^\s;()\"]+)", re.IGNORECASE)
_C1 = re.compile(rb"[\x80-\x9f]")
_BLANK_END = re.compile(rb"[ \t\r\n;]*\Z")


def correct_charset(octets: bytes, declared: str) -> str | None:
    """Return the charset to declare for text that declares another, or None where that is right or nobody can tell."""
    known = charsets.codec(declared)
    if known == "ascii":
        return charsets.recognise(octets)
    if known == "latin_1":
        return charsets.recognise(octets) if _C1.search(octets) else None
    if known is None:
        return charsets.recognise(octets) or ("us-ascii" if octets.isascii() and b"\x1b" not in octets else None)
    return None


def _is_read(part: Entity) -> bool:
    return (
        not part.children
        and part.content_type.startswith("text/")
        and part.content_type != "text/rfc822-headers"
        and part.disposition != "attachment"
    )


def _label(message: StepMessage, part: Entity, is_message: bool) -> Iterator[Edit]:
    content = message.content
    octets = decode_body(content, part)
    charset = correct_charset(octets, part.parameters.get("charset", "us-ascii"))
    if charset is None:
        return
    if field := part.find("content-type"):
        yield from _relabelled(content, part, field, charset)
    else:
        new = [f"Content-Type: {part.content_type}; charset={charset}"]
        if is_message and not part.find("mime-version"):
            new.insert(0, "MIME-Version: 1.0")
        if not octets.isascii() and not part.find("content-transfer-encoding"):
            new.append("Content-Transfer-Encoding: 8bit")
        place = part.fields[-1].end if part.fields else part.start
        if part.fields and content[place - 1 : place] == b"\n":
            yield Edit(place, place, "".join(f"{line}\r\n" for line in new).encode("ascii"))


def _relabelled(content: bytes, part: Entity, field: Field, charset: str) -> Iterator[Edit]:
    """Yield the edit of one parameter. A field that would not say then what it should stays."""
    raw, word = field.raw(content), charset.encode("ascii")
    if found := _CHARSET.search(raw):
        edit = Edit(field.value_start + found.start(1), field.value_start + found.end(1), word)
    else:
        end = _BLANK_END.search(raw)
        place = end.start() if end else len(raw)
        edit = Edit(field.value_start + place, field.value_start + len(raw), b"; charset=" + word)
    start, stop = edit.start - field.value_start, edit.end - field.value_start
    value = (raw[:start] + edit.replacement + raw[stop:]).replace(b"\n", b" ").decode("latin-1")
    kind, told = parameters(value)
    if kind == part.content_type and told.get("charset") == charset:
        yield edit


def _applies(message: StepMessage, context: Context) -> bool:
    return leaves_notes(context) and any(map(_is_read, message.root.walk()))


def _edits(message: StepMessage, _context: Context) -> tuple[Edit, ...]:
    return tuple(
        sorted(
            edit
            for one in open_messages(message.root)
            for part in one.parts
            if _is_read(part)
            for edit in _label(message, part, is_message=part is one.entity)
        )
    )


STEP = Step(
    name="charsets",
    description="Texts declare the charset that they are in.",
    applies=_applies,
    change=_edits,
    on_failure="pass",
)
