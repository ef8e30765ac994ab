"""Display names in recipient fields, removed for Notes if configured.

Notes then looks each address up in its own directory and shows the name it finds there. Only the phrase before an
address in angle brackets goes (RFC 5322 section 3.4); group names and comments stay. The header of the message itself
is changed, of a signed one too: no inner signature covers it.
"""

from __future__ import annotations

from collections.abc import Iterator

from services.transform.pipeline import Context, Step, StepMessage
from services.transform.scope import enters_notes
from shared.mail.address_list import read_addresses
from shared.mail.edits import Edit

FIELDS = frozenset({"to", "cc", "resent-to", "resent-cc"})


def _applies(message: StepMessage, context: Context) -> bool:
    if not enters_notes(context) or context.settings.friendly_names == "keep":
        return False
    return any(field.name in FIELDS for field in message.root.fields)


def _edits(message: StepMessage, _context: Context) -> list[Edit]:
    return list(_removals(message))


def _removals(message: StepMessage) -> Iterator[Edit]:
    content = message.content
    for field in message.root.fields:
        for mailbox in read_addresses(content, field.value_start, field.end) if field.name in FIELDS else ():
            if mailbox.name_span:
                start, end = mailbox.name_span
                bracket = content.find(b"<", end, mailbox.address_span[0])
                if bracket >= 0:
                    yield Edit(start, bracket, b"")


STEP = Step(
    name="friendly_names",
    description="Display names of recipients are removed for Notes, if configured.",
    applies=_applies,
    change=_edits,
    on_failure="pass",
)
