"""A calendar of Exchange or Outlook as Notes takes it, by what Notes and Exchange were told before. Pure.

How a series is said stands in `series`, what is sent in the course of a meeting's life in `convey`, `request`,
`cancel` and `answer`. Components that make no sense keep what they say; only their zones and people
change. So do series beyond the first hundred: no invitation has them, and each takes its time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass
from datetime import date

from icalendar import Calendar, Component

from services.transform.calendar.context import MeetingContext, Piece, day
from services.transform.calendar.to_notes.answer import METHODS as ANSWERS
from services.transform.calendar.to_notes.answer import answer
from services.transform.calendar.to_notes.convey import convey
from services.transform.calendar.to_notes.properties import make_plain
from services.transform.calendar.to_notes.zones import name_zones_for_notes
from shared.calendar.ical import ENTRIES, PRODID, text_of, values_of
from shared.calendar.kinds import settle_kinds
from shared.calendar.moments import ZoneOf
from shared.calendar.recurrence import zone_finder
from shared.calendar.values import Text
from shared.errors import MalformedCalendar
from shared.spool.memory import Remember

_MOST_SERIES = 100


@dataclass(frozen=True, slots=True)
class ForNotes:
    """A calendar as Notes takes it.

    texts: what people are to be told. cancels: calendars to be sent beside it. failures: why meetings in it stay as
    they were, but for their people and zones.
    """

    calendar: Calendar
    method: str
    texts: tuple[str, ...] = ()
    memories: tuple[Remember, ...] = ()
    cancels: tuple[Calendar, ...] = ()
    failures: tuple[MalformedCalendar, ...] = ()


def for_notes(original: Calendar, context: MeetingContext) -> ForNotes:
    """Return the calendar as Notes takes it; one of our own is so already. The one given stays as it is."""
    method = text_of(original, "METHOD").strip().upper()
    if text_of(original, "PRODID") == PRODID:
        return ForNotes(original, method)
    kept = {id(zone): zone for zone in original.subcomponents if zone.name == "VTIMEZONE"}  # others are written
    calendar, zone_of = deepcopy(original, kept), zone_finder(original)
    with suppress(MalformedCalendar):  # whose times are those of no meeting: `_piece` sees to it
        settle_kinds([one for one in calendar.subcomponents if one.name == "VEVENT"], zone_of)
    groups: dict[str, list[Component]] = {}
    others: list[Component] = []
    for entry in calendar.subcomponents:
        if entry.name in ENTRIES:
            make_plain(entry, context.public, context.now)
        (groups.setdefault(text_of(entry, "UID"), []) if entry.name == "VEVENT" else others).append(entry)
    series = [uid for uid, group in groups.items() if any("RRULE" in one for one in group)]
    too_many = frozenset(series[_MOST_SERIES:])
    pieces = [
        Piece(group) if uid in too_many else _piece(uid, group, context, zone_of, method)
        for uid, group in groups.items()
    ]
    if methods := {piece.method for piece in pieces if piece.method}:
        method = methods.pop()
        calendar["METHOD"] = Text(method)
    calendar.subcomponents[:] = [*others, *(one for piece in pieces for one in piece.components)]
    name_zones_for_notes(
        calendar, zone_of, [*_local_dates(calendar), *(one for piece in pieces for one in piece.dates)]
    )
    return ForNotes(
        calendar,
        method,
        tuple(dict.fromkeys(text for piece in pieces for text in piece.texts)),
        tuple(memory for piece in pieces for memory in piece.memories),
        tuple(one for piece in pieces for one in piece.cancels),
        tuple(piece.failure for piece in pieces if piece.failure),
    )


def _piece(uid: str, group: list[Component], context: MeetingContext, zone_of: ZoneOf, method: str) -> Piece:
    try:
        if method in ANSWERS:
            return answer(uid, deepcopy(group), context, zone_of, method)
        return convey(uid, deepcopy(group), context, zone_of, method)
    except MalformedCalendar as failure:
        return Piece(group, failure=failure)


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
