"""Invitations and changes of an Exchange meeting, for Notes. Pure.

What Notes was told is remembered, so that a later message about one instance names it as Notes does, and its SEQUENCE
is never lower than what Notes has: a time change raises it, an older one fails.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from icalendar import Component

from services.transform.calendar.known import (
    Known,
    Piece,
    Situation,
    again_uid,
    day,
    identify,
    is_of_notes,
    sequence_of,
    slot_of,
)
from services.transform.calendar.series import Series, Told
from services.transform.calendar.to_notes.cancel import cancellation
from services.transform.calendar.to_notes.series import NotesForm, instance_form, notes_form
from shared.calendar.ical import moment_of, text_of, values_of
from shared.calendar.moments import ZoneOf
from shared.calendar.recurrence import expand, is_this_and_future
from shared.calendar.values import Text

_LISTED = "RDATE"  # what a remembered series has in the place of a rule


def announce(uid: str, group: Sequence[Component], situation: Situation, zone_of: ZoneOf, *, is_told: bool) -> Piece:
    """Tell Notes of a meeting, or of a change of it. is_told: whether Notes keeps it (REQUEST) and so do we.

    Raises MalformedCalendar.
    """
    is_own = is_told and not is_of_notes(uid)
    if not any(moment_of(one, "RECURRENCE-ID") is None for one in group):
        return _instances(uid, group, situation, zone_of, is_own=is_own)
    form = notes_form(group, zone_of, situation.horizon(group))
    piece = Piece(form.components)
    piece.dates += [day(moment) for one in form.told for moment in (one.occurrence.start, one.occurrence.end)]
    if form.ends is not None:
        piece.dates.append(day(form.ends))
        piece.texts.append(_say_end(form))
    if is_own:
        _tell(piece, Known.of(situation, situation.destination, uid), uid, form)
    return piece


def _say_end(form: NotesForm) -> str:
    """Say in the description that the series goes on no further, and return the words."""
    assert form.ends is not None
    master = form.components[0]
    summary = " ".join(text_of(master, "SUMMARY").split())
    text = (
        f'The series "{summary}" has no end. Notes takes no series without one, '
        f"so it goes as far as {day(form.ends).isoformat()} here."
    )
    description = text_of(master, "DESCRIPTION").rstrip()
    master["DESCRIPTION"] = Text(f"{description}\n\n{text}" if description else text)
    return text


def _tell(piece: Piece, known: Known, uid: str, form: NotesForm) -> None:
    """Give the meeting UID and SEQUENCE as Notes has to see them, and remember what it is told.

    Notes refuses a series under the UID of a single meeting, and the other way round: the meeting gets a UID of its
    own, and what Notes has under the old one is cancelled beside.
    """
    before, own = known.series, sequence_of(form.components[0])
    if before and own < before.source_sequence:
        return  # overtaken by a later one: Notes sees so by its SEQUENCE
    told_uid, sequence = (before.uid, max(own, before.sequence)) if before else (uid, own)
    if before and before.instances:
        if bool(before.rule) != form.is_series:
            told_uid, sequence = again_uid(before.uid), own
            piece.cancels.append(cancellation(before, form.components[0]))
        elif set(before.occurrences) != {one.occurrence for one in form.told}:
            sequence = max(own, before.sequence + 1)
    for component in form.components:
        identify(component, told_uid, max(sequence, sequence_of(component)))
    rules = values_of(form.components[0], "RRULE")
    rule = rules[0].to_ical().decode() if rules else _LISTED if form.is_series else ""
    series = Series(told_uid, known.situation.source, form.told, rule, sequence=sequence, source_sequence=own)
    known.tell(piece, series)


def _instances(uid: str, group: Sequence[Component], situation: Situation, zone_of: ZoneOf, *, is_own: bool) -> Piece:
    """Tell Notes of changed instances, each by the slot that Notes has it under."""
    known = Known.of(situation, situation.destination, uid)
    piece = Piece([])
    components = []
    for override in group:
        slot = slot_of(override, zone_of)
        told = known.by_original(slot)
        if is_this_and_future(override):
            components.append(override)
            continue
        occurrence = expand([override], zone_of).occurrences[0]
        changed = instance_form(override, told.slot if told else slot, zone_of)
        components.append(changed)
        if known.series and is_own:
            identify(changed, known.series.uid, max(sequence_of(changed), known.series.sequence))
            others = tuple(one for one in known.series.instances if one is not told)
            new = replace(told, occurrence=occurrence) if told else Told(slot, slot, occurrence)
            known.tell(piece, replace(known.series, instances=(*others, new)))
    piece.components = components
    return piece
