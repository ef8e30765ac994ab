"""Cancellations of an Exchange meeting, or of instances of it, for Notes. Pure.

Notes does not take the cancellation of a whole series of which instances were cancelled before. Then what is left of it
is cancelled in Notes' own words for that: its first instance "and all future ones".
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from datetime import datetime

from icalendar import Calendar, Component

from services.transform.calendar.known import RECURRENCE, Known, Piece, Situation, day, identify, sequence_of, slot_of
from services.transform.calendar.series import Series, Told
from services.transform.calendar.to_notes.series import future_form, instance_form, notes_form
from shared.calendar.ical import PRODID, moment_of, put_moment
from shared.calendar.moments import ZoneOf, instant
from shared.calendar.recurrence import is_this_and_future
from shared.calendar.values import Text


def cancel(uid: str, group: Sequence[Component], situation: Situation, zone_of: ZoneOf) -> Piece:
    """Cancel a meeting or instances of it. Raises MalformedCalendar."""
    known = Known.of(situation, situation.destination, uid)
    if not any(moment_of(one, "RECURRENCE-ID") is None for one in group):
        piece = Piece([])
        piece.components = [_instance(one, known, piece, zone_of) for one in group]
        return piece
    form = notes_form(group, zone_of, situation.horizon(group))
    master = form.components[0]
    piece = Piece([master], [day(one.occurrence.start) for one in form.told])
    if series := known.series:
        if series.rule and series.instances and known.was_cut:
            master = future_form(master, _in_order(series))
            piece.components = [master]
        identify(master, series.uid, max(sequence_of(master), series.sequence))
        known.tell(piece, replace(series, instances=(), sequence=sequence_of(master)))
    return piece


def cancellation(before: Series, master: Component) -> Calendar:
    """Return what cancels a meeting that Notes has under a UID which is used no longer.

    master: of the meeting as it goes on, from which people and words are taken. It bears our PRODID, by which it is
    known to be in Notes' form already when it is sent.
    """
    event = deepcopy(master)
    for name in (*RECURRENCE, "DESCRIPTION", "X-ALT-DESC", "DURATION"):
        event.pop(name, None)
    event.subcomponents.clear()
    instances = _in_order(before)
    put_moment(event, "DTSTART", instances[0].occurrence.start)
    put_moment(event, "DTEND", instances[0].occurrence.end)
    event["STATUS"] = Text("CANCELLED")
    identify(event, before.uid, before.sequence + 1)
    calendar = Calendar()
    for name, value in (("PRODID", PRODID), ("VERSION", "2.0"), ("METHOD", "CANCEL")):
        calendar[name] = Text(value)
    calendar.add_component(future_form(event, instances) if before.rule else event)
    return calendar


def _instance(override: Component, known: Known, piece: Piece, zone_of: ZoneOf) -> Component:
    if is_this_and_future(override):
        return override
    slot = slot_of(override, zone_of)
    told = known.by_original(slot)
    cancelled = instance_form(override, told.slot if told else slot, zone_of)
    if series := known.series:
        identify(cancelled, series.uid, max(sequence_of(cancelled), series.sequence))
        known.cut(piece, replace(series, instances=tuple(one for one in series.instances if one is not told)))
    return cancelled


def _in_order(series: Series) -> list[Told]:
    return sorted(series.instances, key=_slot)


def _slot(told: Told) -> datetime:
    return instant(told.slot)
