"""Notes document links (.ndl parts), as links that people outside Notes can follow.

What a link becomes is set by `transform.links`, any combination of `notes_url`, `web_url` and `attachment` (the part
stays). A form that cannot be made, for lack of a server or a web host, becomes `attachment`, so nothing is lost. A
link that cannot be read stays as it is.

Each alternative of the text gets the link, where it refers to the part, else at its end. In a message that shows no
text of its own the links become its text. Attached messages are done alike, but for what is signed, encrypted or
returned by a report.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import PurePath

from services.transform.doclinks.addresses import notes_url, target, web_url
from services.transform.doclinks.ndl import DocLink, read_links, shown
from services.transform.doclinks.placing import Anchor, aliases, block_of, place
from services.transform.editing.alternatives import add_block, bodies
from services.transform.editing.parts import stood_in, taken_out
from services.transform.pipeline import Context, Step, StepMessage
from services.transform.scope import OpenMessage, leaves_notes, open_messages
from shared.configuration.transform import TransformSettings
from shared.mail.body import decode_body, decode_text
from shared.mail.edits import Edit, merge
from shared.mail.mime import Entity

FILE_ENDING = ".ndl"
_UNNAMED_TYPE = "application/octet-stream"
_MAX_BYTES = 64 * 1024  # of an .ndl part; a real one has some hundreds
_MAX_LINKS = 200  # of one message, each looked for in its whole text; parts with more stay attachments
_FALLBACK_NAME = "Notes link"


def is_doclink(content: bytes, entity: Entity) -> bool:
    """Whether the part is an .ndl file, by its name, or by what is in it where it has no name."""
    if entity.children or entity.is_protected or entity.content_type.startswith(("multipart/", "message/")):
        return False
    if entity.end - entity.body_start > _MAX_BYTES:
        return False
    file_name = (entity.filename or "").strip().lower()
    if file_name:
        return file_name.endswith(FILE_ENDING)
    return entity.content_type == _UNNAMED_TYPE and b"<NDL>" in decode_body(content, entity)


def _anchors(content: bytes, entity: Entity, settings: TransformSettings) -> tuple[list[Anchor], bool]:
    """Return the links of a part that can be made, and whether it can go: every form chosen was made for every link."""
    links = read_links(decode_text(content, entity))
    file_name = shown(entity.filename or "")
    anchors, is_done = [], bool(links) and "attachment" not in settings.links
    for link in links:
        found = [(form, _address(form, link, settings)) for form in settings.links if form != "attachment"]
        addresses = tuple((form, url) for form, url in found if url)
        is_done = is_done and len(addresses) == len(found)
        name = link.name or shown(PurePath(file_name).stem) or _FALLBACK_NAME
        if addresses:
            called = aliases(file_name, link.title)
            anchors.append(Anchor(name, target(link), addresses, called, entity.content_id))
    return anchors, is_done


def _address(form: str, link: DocLink, settings: TransformSettings) -> str | None:
    if form == "notes_url":
        return notes_url(link, settings.link_server)
    return web_url(link, settings.link_server, settings.web_links)


def _message_edits(content: bytes, message: OpenMessage, settings: TransformSettings) -> Sequence[Edit]:
    parts = [part for part in message.parts if is_doclink(content, part)][:_MAX_LINKS]
    anchors: list[Anchor] = []
    going: list[Entity] = []
    for part in parts:
        made, is_done = _anchors(content, part, settings)
        if len(anchors) + len(made) > _MAX_LINKS:
            continue
        anchors += made
        if is_done:
            going.append(part)
    if not anchors:
        return ()
    starts = {part.start for part in parts}
    texts = bodies(content, message.entity, lambda part: part.start in starts)
    if texts:
        placed = [body.edits(place(body, anchors)) for body in texts]
        return merge(*placed, tuple(_removals(content, message.entity, going)))
    block = block_of(anchors)
    if not going:
        return add_block(content, message.entity, block)
    return merge(tuple(stood_in(content, going[0], block.text)), tuple(_removals(content, message.entity, going[1:])))


def _removals(content: bytes, entity: Entity, going: Sequence[Entity]) -> Iterator[Edit]:
    starts = {part.start for part in going}
    return taken_out(content, entity, lambda part: part.start in starts, "")


def _applies(message: StepMessage, context: Context) -> bool:
    if not leaves_notes(context) or not set(context.settings.links) - {"attachment"}:
        return False
    return any(is_doclink(message.content, part) for part in message.root.walk())


def _edits(message: StepMessage, context: Context) -> tuple[Edit, ...]:
    made = (_message_edits(message.content, nested, context.settings) for nested in open_messages(message.root))
    return merge(*made)


STEP = Step(
    name="doclinks",
    description="Notes document links become links that open in Notes or in a browser.",
    applies=_applies,
    change=_edits,
    on_failure="pass",
)
