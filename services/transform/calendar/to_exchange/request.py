"""Invitations to meetings of Notes and changes of them, planned for Outlook. Pure.

What Notes means is found from the message and from what Outlook was last told. A change of one instance is an override
where the rule that was told can hold it, else it leaves the series as a meeting of its own; a change of one and all
that follow says the series anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, tzinfo

from icalendar import Component

from services.transform.calendar.expression import is_holdable
from services.transform.calendar.series import Series, Told
from services.transform.calendar.to_exchange.plan import (
    Entry,
    Meeting,
    Plan,
    Sheet,
    Wanted,
    next_sequence,
    remembered,
    single_sheet,
    tail_of,
)
from services.transform.calendar.to_exchange.series import define
from shared.calendar.moments import Occurrence, day_of, instant, to_local, to_utc
from shared.calendar.recurrence import Expansion, expand, is_this_and_future, own_occurrences, recurrence_id
from shared.calendar.values import Moment

_JOINING = frozenset(("I", "L"))  # invited, or named by a delegate: one person comes in


def plan_request(meeting: Meeting, told: Series | None) -> Plan:
    """Plan an invitation or a change. told: what Outlook was last told of this UID. Raises MalformedCalendar."""
    overrides = [one for one in meeting.components if recurrence_id(one, meeting.zone_of) is not None]
    if len(overrides) < len(meeting.components):
        expansion = expand(meeting.components, meeting.zone_of)
        return define(meeting, _paired(_wanted(expansion), told, meeting.zone), told, expansion)
    if any(map(is_this_and_future, overrides)) and (told is None or meeting.notice_type in _JOINING):
        expansion = expand(overrides, meeting.zone_of)
        plan = define(meeting, _wanted(expansion), None, expansion)
        return plan if told is None else replace(plan, series=None)
    if told is None or not told.instances or meeting.notice_type in _JOINING:
        return _orphans(meeting, overrides, told)
    return _change(meeting, overrides, told)


def _wanted(expansion: Expansion) -> list[Wanted]:
    return [Wanted(one.slot, one.occurrence, one.component) for one in expansion.instances]


def _paired(wanted: list[Wanted], told: Series | None, zone: tzinfo) -> list[Wanted]:
    """Say of each instance which of the told ones it is: by order where there are as many, else by its day."""
    if told is None or not told.instances:
        return wanted
    known = sorted(told.instances, key=lambda one: instant(one.occurrence.start))
    if len(known) == len(wanted):
        return [replace(one, original=was.original) for one, was in zip(wanted, known, strict=True)]
    on_day: dict[date, list[Told]] = {}
    for was in reversed(known):
        on_day.setdefault(day_of(was.occurrence.start, zone), []).append(was)
    paired = []
    for one in wanted:
        same_day = on_day.get(day_of(one.occurrence.start, zone))
        paired.append(replace(one, original=same_day.pop().original) if same_day else one)
    are_apart = len({one.original for one in paired}) == len(paired)
    return paired if are_apart else wanted


def _orphans(meeting: Meeting, overrides: Sequence[Component], told: Series | None) -> Plan:
    """Pass on single instances whose series was never told, or that only one person is invited to."""
    sheets = []
    sequence = max(meeting.sequence, told.sequence if told else 0)
    for override in overrides:
        slot = recurrence_id(override, meeting.zone_of)
        was = told.find(slot) if told and slot is not None else None
        occurrence = own_occurrences(override, meeting.zone_of, 1)[0]
        apart = was.original if was and was.is_apart else None
        entry = Entry(override, occurrence, slot=None if apart else was.slot if was else slot, apart=apart)
        sheets.append(Sheet("REQUEST", (entry,), meeting.zone, sequence))
    return Plan(tuple(sheets))


def _change(meeting: Meeting, overrides: Sequence[Component], told: Series) -> Plan:
    """Change some instances of a series that was told."""
    if any(map(is_this_and_future, overrides)):
        return _change_tail(meeting, overrides, told)
    instances = list(told.instances)
    changed: list[tuple[Told | None, Wanted]] = []
    for override in overrides:
        slot = recurrence_id(override, meeting.zone_of)
        assert slot is not None  # as every override
        occurrence = own_occurrences(override, meeting.zone_of, 1)[0]
        was = told.find(slot)
        now = Told(was.original if was else slot, was.slot if was else slot, occurrence, was is None or was.is_apart)
        if was in instances:
            instances[instances.index(was)] = now
        else:
            instances.append(now)
        changed.append((was, Wanted(now.original, occurrence, override)))
    fits = _fits(instances, told, meeting.zone)
    leaving = {was.original for was, _ in changed if was and not was.is_apart} if not fits else set()
    instances = [replace(one, is_apart=True) if one.original in leaving else one for one in instances]
    series = remembered(meeting, told.rule, instances, 0)
    sequence = next_sequence(meeting, series, told)
    sheets = []
    for was, one in changed:
        if was and not was.is_apart and fits:
            sheets.append(
                Sheet("REQUEST", (Entry(one.template, one.occurrence, slot=was.slot),), meeting.zone, sequence)
            )
            continue
        if was and not was.is_apart:
            sheets.append(
                Sheet("CANCEL", (Entry(one.template, was.occurrence, slot=was.slot),), meeting.zone, sequence)
            )
        sheets.append(single_sheet(one, meeting.zone, sequence))
    return Plan(tuple(sheets), replace(series, sequence=sequence))


def _change_tail(meeting: Meeting, overrides: Sequence[Component], told: Series) -> Plan:
    """Say the series anew with other instances from one on."""
    wanted = {one.original: Wanted(one.original, one.occurrence, overrides[0]) for one in told.instances}
    for override in overrides:
        slot = recurrence_id(override, meeting.zone_of)
        assert slot is not None  # as every override
        own = own_occurrences(override, meeting.zone_of)
        if not is_this_and_future(override):
            was = told.find(slot)
            original = was.original if was else slot
            wanted[original] = Wanted(original, own[0], override)
            continue
        tail = list(tail_of(told, slot))
        if len(own) == 1 and "RDATE" not in override and len(tail) > 1:
            own = _shifted(tail, slot, own[0], meeting)
        for was in tail:
            wanted.pop(was.original, None)
        originals = [was.original for was in tail]
        for number, occurrence in enumerate(own):
            original = originals[number] if number < len(originals) else occurrence.start
            wanted[original] = Wanted(original, occurrence, override)
    return define(meeting, list(wanted.values()), told, None)


def _shifted(tail: Sequence[Told], slot: Moment, to: Occurrence, meeting: Meeting) -> tuple[Occurrence, ...]:
    """Move a tail as far, by the clock, as its first instance was moved (RFC 5545 section 3.2.13)."""
    first = next((one for one in tail if slot in (one.slot, one.original)), tail[0])
    zone = meeting.zone
    by = instant(to_local(to.start, zone)) - instant(to_local(first.occurrence.start, zone))
    length = instant(to.end) - instant(to.start)
    starts = [to_utc(to_local(one.occurrence.start, zone) + by, zone) for one in tail]
    return tuple(Occurrence(start, start + length) for start in starts)


def _fits(instances: Iterable[Told], told: Series, zone: tzinfo) -> bool:
    """Whether the rule that was told still holds its instances where they are now."""
    ruled = sorted((one for one in instances if not one.is_apart), key=lambda one: instant(one.slot))
    occurrences = [one.occurrence for one in ruled]
    in_order = occurrences == sorted(occurrences, key=lambda one: instant(one.start))
    elsewhere = {day_of(one.occurrence.start, zone) for one in ruled} - {day_of(one.slot, zone) for one in ruled}
    slots = {day_of(one.slot, zone) for one in told.instances}
    return in_order and is_holdable(occurrences, zone) and not elsewhere & slots and bool(told.rule)
