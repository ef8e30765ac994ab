"""Encapsulated Notes rich text, stripped for systems that ask for it.

Domino can add the whole Notes document to the text and HTML it sends: thousands of lines that only Notes can show.
The part is of type application/X-Lotus-Encap2 (older: without the 2), or its file is named `*.ond`; either sign is
enough, in upper or lower case. The rest stays a valid message, see `services.transform.editing.parts`.
"""

from __future__ import annotations

from services.transform.editing.parts import taken_out
from services.transform.pipeline import Context, Step, StepMessage
from shared.mail.edits import Edit
from shared.mail.mime import Entity

TYPES = frozenset({"application/x-lotus-encap", "application/x-lotus-encap2"})
FILE_ENDING = ".ond"
STAND_IN = "This message held only Notes rich text, which cannot be shown outside Notes."


def is_encapsulation(entity: Entity) -> bool:
    """Whether the part is an encapsulated Notes document."""
    if entity.children or entity.is_protected:
        return False
    return entity.content_type in TYPES or (entity.filename or "").strip().lower().endswith(FILE_ENDING)


def _applies(message: StepMessage, context: Context) -> bool:
    return context.destination.encapsulation == "strip" and any(map(is_encapsulation, message.root.walk()))


def _edits(message: StepMessage, _context: Context) -> tuple[Edit, ...]:
    return tuple(taken_out(message.content, message.root, is_encapsulation, STAND_IN))


STEP = Step(
    name="encapsulation",
    description="Encapsulated Notes rich text is stripped for systems that do not keep it.",
    applies=_applies,
    change=_edits,
    on_failure="dead_letter",
)
