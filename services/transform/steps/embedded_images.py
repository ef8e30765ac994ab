"""Images in the text of a memo: ids that Outlook resolves, and placeholders in plain text.

Content-IDs. Notes writes ids without a domain, `<1__=8FBB…@>`, which RFC 2392 section 2 does not allow and Outlook does
not resolve. The gateway's host name completes the id wherever it stands: in the part's header, in each `cid:` URL of
the HTML, in whatever encoding, and as `start` of a multipart/related. Only ids that some HTML mentions.

Stand-ins. The plain text says `(Embedded image moved to file: pic12345.gif)` or `(See attached file: pic12345.gif)`
for an image. Where the HTML shows that image, there is no such file to look for, so the text says
`[image: pic12345.gif]` instead, and nothing for the images that Notes only decorates with: the twisty of "Inactive hide
details", and spacers. Where the image is a file attached to the message, the words are true, and stay.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Set

from services.transform.editing.content_ids import html_bodies, mentions
from services.transform.editing.text_body import Replacement, TextBody, read_text
from services.transform.pipeline import Context, Step, StepMessage
from services.transform.scope import OpenMessage, leaves_notes, open_messages
from shared.mail.edits import Edit
from shared.mail.mime import Entity

DECORATIONS = frozenset({"graycol.gif", "ecblank.gif"})
"""Decorative images of Notes."""

_CONTENT_ID_END = re.compile(rb"@[ \t\r\n]*>")
_PHRASE = re.compile(
    r"\((?:Embedded\s{1,9}image\s{1,9}moved\s{1,9}to\s{1,9}file|See\s{1,9}attached\s{1,9}file):\s{0,9}", re.IGNORECASE
)
_MAX_NAME = 600  # characters looked at after the phrase
_MAX_PARENTHESES = 8  # closing ones looked at: a name may hold some


def _is_image(entity: Entity) -> bool:
    return entity.content_type.startswith("image/") and entity.content_id is not None


def _completed(message: OpenMessage, content: bytes, bodies: list[TextBody], hostname: str) -> Iterator[Edit]:
    """Yield the edits that put the host name behind ids without a domain."""
    open_ids = {part.content_id for part in message.parts if part.content_id and part.content_id.endswith("@")}
    mentioned = {mention.content_id for body in bodies for mention in mentions(body.text)} & open_ids
    if not mentioned:
        return
    for body in bodies:
        ends = [mention.end for mention in mentions(body.text) if mention.content_id in mentioned]
        yield from body.edits([Replacement(end, end, hostname) for end in ends])
    for part in message.parts:
        if part.content_id in mentioned:
            yield from _in_header(part, "content-id", _CONTENT_ID_END, content, hostname)
        start = part.parameters.get("start", "").strip("<> ")
        if start in mentioned and part.content_type == "multipart/related":
            opening = rb"start\s*+=\s*+\"?+\s*+<?+\s*+"
            pattern = re.compile(opening + re.escape(start.encode()) + rb"()", re.IGNORECASE)
            yield from _in_header(part, "content-type", pattern, content, hostname)


def _in_header(part: Entity, name: str, pattern: re.Pattern[bytes], content: bytes, hostname: str) -> Iterator[Edit]:
    if (field := part.find(name)) and (found := pattern.search(content, field.value_start, field.end)):
        place = found.end(1) if found.re.groups else found.start() + 1
        yield Edit(place, place, hostname.encode("ascii"))


def _restated(message: OpenMessage, content: bytes, bodies: list[TextBody]) -> Iterator[Edit]:
    """Yield the edits that say in plain text what the HTML shows."""
    mentioned = {mention.content_id for body in bodies for mention in mentions(body.text)}
    images = (part for part in message.parts if _is_image(part) and part.content_id in mentioned)
    names = {part.filename.lower() for part in images if part.filename}
    if not names:
        return
    for part in message.parts:
        if part.content_type == "text/plain" and part.disposition != "attachment":
            body = read_text(content, part)
            if body and (replacements := list(_stand_ins(body.text, names))):
                yield from body.edits(replacements)


def _stand_ins(text: str, names: Set[str]) -> Iterator[Replacement]:
    """Yield the replacements of what stands for one of the names, which are in lower case."""
    position = 0
    while found := _PHRASE.search(text, position):
        position = found.end()
        closing = found.end()
        for _ in range(_MAX_PARENTHESES):
            closing = text.find(")", closing, found.end() + _MAX_NAME) + 1
            if not closing:
                break
            name = text[found.end() : closing - 1].rstrip()
            if name.lower() in names:
                yield Replacement(found.start(), closing, _image(name))
                position = closing
                break


def _image(name: str) -> str:
    return "" if name.lower() in DECORATIONS else f"[image: {name}]"


def _applies(message: StepMessage, context: Context) -> bool:
    return leaves_notes(context) and any(part.content_id for part in message.root.walk())


def _edits(message: StepMessage, context: Context) -> tuple[Edit, ...]:
    edits: list[Edit] = []
    for nested in open_messages(message.root):
        if any(part.content_id for part in nested.parts):
            bodies = html_bodies(message.content, nested)
            edits += _completed(nested, message.content, bodies, context.hostname)
            edits += _restated(nested, message.content, bodies)
    return tuple(sorted(edits))


STEP = Step(
    name="embedded_images",
    description="Images in the text get ids that Outlook resolves; placeholders in plain text match them.",
    applies=_applies,
    change=_edits,
    on_failure="pass",
)
