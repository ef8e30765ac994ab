"""A calendar of Exchange or Outlook as Notes takes it, by what Notes and Exchange were told before. Pure.

How a series is told stands in `series`, what is told of a meeting's life in `announce`,
`cancel` and `answer`. Components that make no sense keep what they say; only their zones and people
change. So do series beyond the first hundred: no invitation has them, and each takes its time.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from datetime import date

from icalendar import Calendar, Component

from services.transform.calendar.known import Piece, Situation, day
from services.transform.calendar.to_notes.announce import announce
from services.transform.calendar.to_notes.answer import METHODS as ANSWERS
from services.transform.calendar.to_notes.answer import answer
from services.transform.calendar.to_notes.cancel import cancel
from services.transform.calendar.to_notes.properties import make_plain
from services.transform.calendar.to_notes.zones import name_zones_for_notes
from shared.calendar.ical import PRODID, text_of, values_of
from shared.calendar.moments import ZoneOf
from shared.calendar.recurrence import zone_finder
from shared.errors import MalformedCalendar
from shared.spool.memory import Remember

_MOST_SERIES = 100
_ENTRIES = ("VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY")


@dataclass(frozen=True, slots=True)
class ForNotes:
    """A calendar as Notes takes it. texts: what people are to be told. cancels: calendars to be sent beside it."""

    calendar: Calendar
    method: str
    texts: tuple[str, ...] = ()
    memories: tuple[Remember, ...] = ()
    cancels: tuple[Calendar, ...] = ()


def for_notes(original: Calendar, situation: Situation) -> ForNotes:
    """Return the calendar as Notes takes it; one of our own is so already. The one given stays as it is."""
    method = text_of(original, "METHOD").strip().upper()
    if text_of(original, "PRODID") == PRODID:
        return ForNotes(original, method)
    calendar, zone_of = deepcopy(original), zone_finder(original)
    groups: dict[str, list[Component]] = {}
    others: list[Component] = []
    for entry in calendar.subcomponents:
        if entry.name in _ENTRIES:
            make_plain(entry, situation.public, situation.now)
        (groups.setdefault(text_of(entry, "UID"), []) if entry.name == "VEVENT" else others).append(entry)
    series = [uid for uid, group in groups.items() if any("RRULE" in one for one in group)]
    too_many = frozenset(series[_MOST_SERIES:])
    pieces = [
        Piece(group) if uid in too_many else _piece(uid, group, situation, zone_of, method)
        for uid, group in groups.items()
    ]
    calendar.subcomponents[:] = [*others, *(one for piece in pieces for one in piece.components)]
    name_zones_for_notes(
        calendar, zone_of, [*_local_dates(calendar), *(one for piece in pieces for one in piece.dates)]
    )
    return ForNotes(
        calendar,
        method,
        tuple(dict.fromkeys(text for piece in pieces for text in piece.texts)),
        tuple(memory for piece in pieces for memory in piece.memories.values()),
        tuple(one for piece in pieces for one in piece.cancels),
    )


def _piece(uid: str, group: list[Component], situation: Situation, zone_of: ZoneOf, method: str) -> Piece:
    try:
        if method in ANSWERS:
            return answer(uid, deepcopy(group), situation, zone_of, method)
        if method == "CANCEL":
            return cancel(uid, deepcopy(group), situation, zone_of)
        return announce(uid, deepcopy(group), situation, zone_of, is_told=method == "REQUEST")
    except MalformedCalendar:
        return Piece(group)


def _local_dates(calendar: Component) -> Iterator[date]:
    """Yield the days of all times that are local to a zone."""
    for component in calendar.walk():
        if component.name in ("VTIMEZONE", "STANDARD", "DAYLIGHT"):
            continue
        for name in list(component):
            for value in values_of(component, name):
                if "TZID" in value.params:
                    for one in getattr(value, "dts", [value]):
                        moment = getattr(one, "dt", None)
                        first = moment[0] if isinstance(moment, tuple) else moment
                        if isinstance(first, date):
                            yield day(first)
