"""A meeting's components as they are with what later messages said, which came before this one. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy

from icalendar import Component

from services.transform.calendar.context import RECURRENCE
from services.transform.calendar.life import Held, Meeting
from services.transform.calendar.notice import Notice
from shared.calendar.ical import moment_of, put_moment, put_moments, values_of
from shared.calendar.moments import to_written
from shared.calendar.recurrence import recurrence_id
from shared.calendar.values import Moment


def amended(notice: Notice, meeting: Meeting) -> Sequence[Component]:
    """Return the components of a notice about all of a meeting, changed where the meeting is another by now."""
    expansion = notice.expansion
    assert expansion  # of every request
    own = {one.slot: one.occurrence for one in expansion.instances}
    others = [
        held for held in meeting.held if own.get(held.original) != (None if held.is_cancelled else held.occurrence)
    ]
    if not others:
        return notice.components
    names = {held.original for held in others}
    words = {slot: one for one in notice.components if (slot := recurrence_id(one, notice.zone_of)) is not None}
    master = deepcopy(next(one for one in notice.components if recurrence_id(one, notice.zone_of) is None))
    kept = [one for slot, one in words.items() if slot not in names]
    _leave_out(master, [held.original for held in others if held.is_cancelled and held.original in own], notice)
    moved = (held for held in others if not held.is_cancelled)
    return [master, *kept, *(_moved(words.get(held.original, master), held, notice) for held in moved)]


def _leave_out(master: Component, slots: Sequence[Moment], notice: Notice) -> None:
    if slots:
        known = values_of(master, "EXDATE")
        put_moments(master, "EXDATE", [to_written(one, notice.zone) for one in slots])
        if known:
            master["EXDATE"] = [*known, *values_of(master, "EXDATE")]


def _moved(like: Component, held: Held, notice: Notice) -> Component:
    new = deepcopy(like)
    for name in (*RECURRENCE, "DURATION"):
        new.pop(name, None)
    for name, moment in (("DTSTART", held.occurrence.start), ("DTEND", held.occurrence.end)):
        put_moment(new, name, to_written(moment, notice.zone))
    named = moment_of(new, "RECURRENCE-ID")
    if named is None:
        put_moment(new, "RECURRENCE-ID", to_written(held.original, notice.zone))
    return new
