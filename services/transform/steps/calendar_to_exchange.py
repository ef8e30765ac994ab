"""Meetings of Notes for Outlook: invitations, changes, cancellations and answers, see `calendar.to_exchange`.

A calendar that cannot be read passes as it is: whatever it says, the mail around it arrives.
"""

from __future__ import annotations

from services.transform.calendar.part import places
from services.transform.calendar.to_exchange.convert import convert_invitations
from services.transform.pipeline import Change, Context, Step, StepMessage
from services.transform.scope import leaves_notes


def _applies(message: StepMessage, context: Context) -> bool:
    return leaves_notes(context) and next(places(message.root), None) is not None


def _change(message: StepMessage, context: Context) -> Change:
    return convert_invitations(message, context)


STEP = Step(
    name="calendar_to_exchange",
    description="Meetings of Notes become what Outlook takes: series, changes, cancellations, answers, people, zones.",
    applies=_applies,
    change=_change,
    on_failure="pass",
)
