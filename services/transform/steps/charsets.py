"""The charset that a text declares, corrected where its bytes cannot be in it.

Notes and the gateways before it label text wrongly: US-ASCII or ISO-8859-1 with the quotes and dashes of Windows-1252,
ISO-2022-JP without a label, private names. Outlook uses the label and shows wrong characters.

Only the label changes, never the text, and only where the bytes leave no doubt (see `shared.mail.unlabelled`), or where
something else names the charset: the `meta` element of an HTML text, or `default_charset` of the system it comes from.

- US-ASCII, declared or meant by silence (RFC 2045 section 5.2), with bytes above 127 or escapes of ISO-2022-JP;
- ISO-8859-1 with bytes from 128 to 159, where it has only controls that no text uses;
- a name that is no charset's; plain ASCII under such a name is US-ASCII.

A correct label stays as it is written, and so does one that only other readers know. Attached files are not changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from services.transform.html.declared import declared_charset
from services.transform.pipeline import Context, Step, StepMessage
from services.transform.scope import leaves_notes, open_messages
from shared.mail.body import decode_body
from shared.mail.charset import decode, is_ascii, is_latin_1
from shared.mail.charset_names import is_charset
from shared.mail.edits import Edit
from shared.mail.header import Field
from shared.mail.mime import Entity
from shared.mail.parameters import parameters
from shared.mail.unlabelled import WINDOWS_1252, is_windows_1252_as_latin_1, recognise

_CHARSET = re.compile(rb";\s*charset\s*=\s*(\"[^\"]*\"|[^\s;()\"]+)", re.IGNORECASE)
_BLANK_END = re.compile(rb"[ \t\r\n;]*\Z")


def correct_charset(octets: bytes, declared: str, *claims: str | None) -> str | None:
    """Return the charset to declare for text that declares another; None if that is right, or the charset is uncertain.

    claims: charsets from other sources than the label, in order (see `recognise`).
    """
    if is_latin_1(declared) and is_windows_1252_as_latin_1(octets):
        return "utf-8" if decode(octets, "utf-8") is not None else WINDOWS_1252
    if is_ascii(declared):
        return recognise(octets, *claims)
    if is_charset(declared):
        return None
    return recognise(octets, *claims) or ("us-ascii" if octets.isascii() and b"\x1b" not in octets else None)


def _is_read(part: Entity) -> bool:
    return (
        not part.children
        and part.content_type.startswith("text/")
        and part.content_type != "text/rfc822-headers"
        and part.disposition != "attachment"
    )


def _label(message: StepMessage, part: Entity, is_message: bool, default: str | None) -> Iterator[Edit]:
    content = message.content
    octets = decode_body(content, part)
    claim = declared_charset(octets) if part.content_type == "text/html" else None
    charset = correct_charset(octets, part.parameters.get("charset", "us-ascii"), claim, default)
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
    """Yield the edit of one parameter. A field that would still be wrong afterwards is unchanged."""
    raw, word = field.raw(content), charset.encode("ascii")
    if found := _CHARSET.search(raw):
        edit = Edit(field.value_start + found.start(1), field.value_start + found.end(1), word)
    else:
        end = _BLANK_END.search(raw)
        place = end.start() if end else len(raw)
        edit = Edit(field.value_start + place, field.value_start + len(raw), b"; charset=" + word)
    start, stop = edit.start - field.value_start, edit.end - field.value_start
    value = (raw[:start] + edit.replacement + raw[stop:]).replace(b"\n", b" ").decode("latin-1")
    kind, declared = parameters(value)
    if kind == part.content_type and declared.get("charset") == charset:
        yield edit


def _applies(message: StepMessage, context: Context) -> bool:
    return leaves_notes(context) and any(map(_is_read, message.root.walk()))


def _edits(message: StepMessage, context: Context) -> tuple[Edit, ...]:
    return tuple(
        sorted(
            edit
            for opened in open_messages(message.root)
            for part in opened.parts
            if _is_read(part)
            for edit in _label(message, part, part is opened.entity, context.source.default_charset)
        )
    )


STEP = Step(
    name="charsets",
    description="Wrong charset labels of texts are corrected.",
    applies=_applies,
    change=_edits,
    on_failure="pass",
)
