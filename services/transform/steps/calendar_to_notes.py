"""Invitations and answers of Exchange and Outlook, as Notes takes them.

Every calendar part of a message for Domino gets zones that Notes knows, series that it takes, and its own words for
single instances; what was cut off of a series without an end is told in the body. See
`services.transform.calendar.to_notes.convert`. An attached calendar without a METHOD is a file, and stays as it is.

A part that needs no change keeps its bytes. One that is no calendar, or has a date or rule in it that cannot be read,
stays as it is, and its organizer is told: without the date, the meeting would be another one.
"""

from __future__ import annotations

from datetime import UTC, datetime

from icalendar import Calendar

from services.transform.calendar.authority import recipients_of, senders_of
from services.transform.calendar.context import MeetingContext
from services.transform.calendar.message import meeting_message
from services.transform.calendar.part import Place, places, read_text, replace_calendar
from services.transform.calendar.to_notes.convert import ForNotes, for_notes
from services.transform.calendar.to_notes.forward import forward_notice
from services.transform.calendar.unconverted import unconverted
from services.transform.editing.alternatives import Block, add_block
from services.transform.pipeline import Context, ExtraMessage, Step, StepMessage, StepResult
from shared.calendar.ical import read_calendars, write_calendar
from shared.errors import MalformedCalendar, SpoolError
from shared.mail.edits import Edit, merge

_TIMES = frozenset(("DTSTART", "DTEND", "DURATION", "RRULE", "RDATE", "EXDATE", "EXRULE", "RECURRENCE-ID"))
_REPLACED = "This meeting is replaced by another that was sent at the same time."


def _applies(message: StepMessage, context: Context) -> bool:
    if context.destination.kind != "domino" or context.source.kind == "domino":
        return False
    return any(True for _ in places(message.root))


def _change(message: StepMessage, context: Context) -> StepResult:
    meeting_context = MeetingContext(
        source=context.source.name,
        destination=context.destination.name,
        now=datetime.fromtimestamp(context.now, UTC),
        endless=context.settings.endless_series,
        memory=context.settings.series_memory,
        public=context.router.public,
        recall=context.recall,
        senders=senders_of(message, context),
        recipients=recipients_of(message, context),
    )
    edits: list[Edit] = []
    made: list[ForNotes] = []
    notices: list[ExtraMessage] = []
    failed: list[tuple[Place, Exception]] = []
    for place in places(message.root):
        try:
            calendars = _calendars(message, place)
            converted = [for_notes(calendar, meeting_context) for calendar in calendars]
            before, after = (
                b"".join(map(write_calendar, some)) for some in (calendars, (one.calendar for one in converted))
            )
        except SpoolError:
            raise
        except Exception as failure:  # noqa: BLE001 whatever is wrong with a calendar, its organizer is told
            failed.append((place, failure))
            continue
        if before != after:
            edits += replace_calendar(message.content, place, after, converted[0].method)
        made += converted
        if not notices:
            found = (forward_notice(calendar, message, context) for calendar in calendars)
            notices += filter(None, (next(filter(None, found), None),))
    texts = tuple(dict.fromkeys(text for one in made for text in one.texts))
    words = add_block(message.content, message.root, Block.of("\n".join(texts))) if texts else []
    memories = {memory.key: memory for one in made for memory in one.memories}
    cancels = dict.fromkeys(write_calendar(calendar) for one in made for calendar in one.cancels)
    change = StepResult(
        merge(edits, words),
        (*(meeting_message(message, context, cancel, "CANCEL", _REPLACED) for cancel in cancels), *notices),
        tuple(memories.values()),
        next((failure for one in made for failure in one.failures), None),
    )
    if not failed:
        return change
    return unconverted(message, context, [place for place, _ in failed], failed[0][1], change)


def _calendars(message: StepMessage, place: Place) -> tuple[Calendar, ...]:
    """Return the calendars of a part, none of a file. Raises MalformedCalendar for none, and for a time unread."""
    is_attached = place.entity.disposition == "attachment"
    try:
        calendars = read_calendars(read_text(message.content, place.entity))
    except MalformedCalendar:
        if is_attached:
            return ()
        raise
    if is_attached and not any("METHOD" in one for one in calendars):
        return ()
    unread = [name for one in calendars for component in one.walk() for name, _ in component.errors if name in _TIMES]
    if unread:
        raise MalformedCalendar(f"a calendar entry whose {unread[0]} cannot be read")
    return calendars


STEP = Step(
    name="calendar_to_notes",
    description="Invitations and answers of Exchange and Outlook are told as Notes takes them.",
    applies=_applies,
    change=_change,
    on_failure="pass",
)
