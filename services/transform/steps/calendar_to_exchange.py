"""Meetings of Notes for Outlook: invitations, changes, cancellations and answers, see `calendar.to_exchange`.

A calendar that cannot be converted passes as it is: whatever it says, the mail around it arrives, and its organizer is
told.
"""

from __future__ import annotations

from services.transform.calendar.part import places
from services.transform.calendar.to_exchange.convert import convert_invitations
from services.transform.calendar.unconverted import unconverted
from services.transform.pipeline import Context, Step, StepMessage, StepResult
from services.transform.scope import leaves_notes
from shared.errors import SpoolError


def _applies(message: StepMessage, context: Context) -> bool:
    return leaves_notes(context) and next(places(message.root), None) is not None


def _change(message: StepMessage, context: Context) -> StepResult:
    try:
        return convert_invitations(message, context)
    except SpoolError:
        raise
    except Exception as failure:  # noqa: BLE001 whatever is wrong with a calendar, its organizer is told
        return unconverted(message, context, tuple(places(message.root)), failure)


STEP = Step(
    name="calendar_to_exchange",
    description="Meetings of Notes become what Outlook takes: series, changes, cancellations, answers, people, zones.",
    applies=_applies,
    change=_change,
    on_failure="pass",
)
