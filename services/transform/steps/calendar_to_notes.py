"""Invitations and answers of Exchange and Outlook, as Notes takes them.

Every calendar part of a message for Domino gets zones that Notes knows, series that it takes, and its own words for
single instances; what was cut off of a series without an end is told in the body. See
`services.transform.calendar.to_notes.convert`. An attached calendar without a METHOD is a file, and stays as it is.

A part that needs no change keeps its bytes. So does one that is no calendar, or has a date or rule in it that cannot
be read: without it, the meeting would be another one.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from icalendar import Calendar

from services.transform.calendar.authority import recipients_of, senders_of
from services.transform.calendar.context import MeetingContext
from services.transform.calendar.message import meeting_message
from services.transform.calendar.part import Place, places, read_text, replace_calendar
from services.transform.calendar.to_notes.convert import ForNotes, for_notes
from services.transform.calendar.to_notes.forward import forward_notice
from services.transform.editing.alternatives import Block, add_block
from services.transform.pipeline import Change, Context, Further, Step, StepMessage
from shared.calendar.ical import read_calendars, write_calendar
from shared.errors import MalformedCalendar
from shared.mail.edits import Edit, merge

_TIMES = frozenset(("DTSTART", "DTEND", "DURATION", "RRULE", "RDATE", "EXDATE", "EXRULE", "RECURRENCE-ID"))
_REPLACED = "This meeting is replaced by another that was sent at the same time."


def _applies(message: StepMessage, context: Context) -> bool:
    if context.destination.kind != "domino" or context.source.kind == "domino":
        return False
    return any(True for _ in places(message.root))


def _change(message: StepMessage, context: Context) -> Change:
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
    notices: list[Further] = []
    for place, calendars in _calendars(message):
        converted = [for_notes(calendar, meeting_context) for calendar in calendars]
        before, after = (
            b"".join(map(write_calendar, some)) for some in (calendars, (one.calendar for one in converted))
        )
        if before != after:
            edits += replace_calendar(message.content, place, after, converted[0].method)
        made += converted
        notices += filter(None, (forward_notice(calendar, message, context) for calendar in calendars))
    texts = tuple(dict.fromkeys(text for one in made for text in one.texts))
    words = add_block(message.content, message.root, Block.of("\n".join(texts))) if texts else []
    memories = {memory.key: memory for one in made for memory in one.memories}
    cancels = dict.fromkeys(write_calendar(calendar) for one in made for calendar in one.cancels)
    return Change(
        merge(edits, words),
        (*(meeting_message(message, context, cancel, "CANCEL", _REPLACED) for cancel in cancels), *notices[:1]),
        tuple(memories.values()),
    )


def _calendars(message: StepMessage) -> Iterator[tuple[Place, tuple[Calendar, ...]]]:
    for place in places(message.root):
        try:
            calendars = read_calendars(read_text(message.content, place.entity))
        except MalformedCalendar:
            continue
        told = (name for one in calendars for component in one.walk() for name, _ in component.errors)
        is_file = place.entity.disposition == "attachment" and not any("METHOD" in one for one in calendars)
        if not is_file and _TIMES.isdisjoint(filter(None, told)):
            yield place, calendars


STEP = Step(
    name="calendar_to_notes",
    description="Invitations and answers of Exchange and Outlook are told as Notes takes them.",
    applies=_applies,
    change=_change,
    on_failure="pass",
)
