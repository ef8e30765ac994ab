"""HTML of Outlook, reduced to what Notes renders; see `services.transform.html.outlook`. Other HTML is unchanged."""

from __future__ import annotations

from services.transform.editing.content_ids import html_bodies
from services.transform.html.outlook import reductions
from services.transform.pipeline import Context, Step, StepMessage
from services.transform.scope import enters_notes, open_messages
from shared.mail.edits import Edit, merge


def _applies(message: StepMessage, context: Context) -> bool:
    if not enters_notes(context) or context.settings.outlook_html == "keep":
        return False
    return any(part.content_type == "text/html" for part in message.root.walk())


def _edits(message: StepMessage, _context: Context) -> tuple[Edit, ...]:
    content = message.content
    parts = (body for nested in open_messages(message.root) for body in html_bodies(content, nested))
    return merge(*(body.edits(reductions(body.text)) for body in parts))


STEP = Step(
    name="outlook_html",
    description="Outlook's HTML is reduced to what Notes renders.",
    applies=_applies,
    change=_edits,
    on_failure="pass",
)
