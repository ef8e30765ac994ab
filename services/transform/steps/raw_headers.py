"""Header text beyond ASCII, encoded as RFC 2047 and RFC 2231 require.

Old Notes clients, and gateways before them, put bytes of a national charset, or the escapes of ISO-2022-JP, right into
the header. Outlook shows them in the reader's own charset. So raw text becomes encoded words in UTF-8, or an extended
parameter where it names a file, as `shared.mail.raw_fields` writes them.

It stays where it is in no charset that the bytes show, the text of the message declares, or `default_charset` of the
system it comes from names; and so does UTF-8 in a message sent as SMTPUTF8, where it is lawful (RFC 6532).
"""

from __future__ import annotations

from services.transform.pipeline import Context, Step, StepMessage
from services.transform.scope import OpenMessage, leaves_notes, open_messages
from shared.mail.edits import Edit
from shared.mail.raw_fields import RAW, Reader, raw_text_edits
from shared.mail.unlabelled import read_unlabelled


def _reader(message: OpenMessage, default: str | None) -> Reader:
    charsets = (part.parameters.get("charset") for part in message.parts if part.content_type.startswith("text/"))
    nearby = next((charset for charset in charsets if charset), None)
    return lambda octets: read_unlabelled(octets, nearby, default)


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return b"\x1b" not in raw


def _applies(message: StepMessage, context: Context) -> bool:
    return leaves_notes(context) and any(
        RAW.search(message.content, entity.start, entity.body_start) for entity in message.root.walk()
    )


def _edits(message: StepMessage, context: Context) -> tuple[Edit, ...]:
    content = message.content
    keeps = _is_utf8 if context.envelope.smtputf8 else lambda _: False
    return tuple(
        sorted(
            edit
            for opened in open_messages(message.root)
            for read in (_reader(opened, context.source.default_charset),)
            for entity in opened.parts or (opened.entity,)
            if RAW.search(content, entity.start, entity.body_start)
            for edit in raw_text_edits(entity, content, read, keeps=keeps)
        )
    )


STEP = Step(
    name="raw_headers",
    description="Header text beyond ASCII is encoded as RFC 2047 and RFC 2231 require.",
    applies=_applies,
    change=_edits,
    on_failure="pass",
)
