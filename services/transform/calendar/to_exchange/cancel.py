"""Cancellations of meetings of Notes, planned for Outlook. Pure.

One and all that follow are cancelled by an update that ends the series earlier, one message; Outlook would take one
cancellation an instance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from icalendar import Component
from icalendar.prop import vRecur

from services.transform.calendar.patterns import is_readable
from services.transform.calendar.series import Series
from services.transform.calendar.to_exchange.plan import Entry, Meeting, Plan, Sheet, Wanted, cancel_apart, tail_of
from services.transform.calendar.to_exchange.series import MAX_SINGLES, define, rule_text
from shared.calendar.ical import moment_of, values_of
from shared.calendar.moments import to_local, to_utc
from shared.calendar.recurrence import is_this_and_future, own_occurrences, recurrence_id

_LEAVING = frozenset(("Y", "Z"))  # a room or a person is taken out; the meeting itself goes on


def plan_cancel(meeting: Meeting, told: Series | None) -> Plan:
    """Plan a cancellation: of all, of one instance, or of one and all that follow. Raises MalformedCalendar."""
    component = meeting.components[0]
    slot = recurrence_id(component, meeting.zone_of)
    if told is None or not told.instances:
        return _blind_cancel(meeting, told)
    if slot is None:
        gone = told.instances
    elif is_this_and_future(component):
        gone = tuple(tail_of(told, slot))
    else:
        found = told.find(slot)
        gone = (found,) if found else ()
    if not gone:
        return _blind_cancel(meeting, told)
    left = tuple(one for one in told.instances if one not in gone)
    sequence = max(meeting.sequence, told.sequence)
    sheets = list(cancel_apart(component, gone, meeting.zone, sequence))
    ruled, ruled_left = [one for one in gone if not one.is_apart], [one for one in left if not one.is_apart]
    series = replace(told, instances=left, sequence=sequence, source_sequence=meeting.sequence)
    if ruled and not ruled_left:
        whole = Entry(component, ruled[0].occurrence, rule=told.rule)
        sheets.insert(0, Sheet("CANCEL", (whole,), meeting.zone, sequence))
    elif len(ruled) == 1 and not (slot and is_this_and_future(component)):
        entry = Entry(component, ruled[0].occurrence, slot=ruled[0].slot)
        sheets.insert(0, Sheet("CANCEL", (entry,), meeting.zone, sequence))
    elif ruled:
        wanted = [Wanted(one.original, one.occurrence, component) for one in left]
        plan = define(meeting, wanted, told, None)
        sheets, series = list(plan.sheets), plan.series or series  # which withdraw what stands apart, too
    return Plan(tuple(sheets), None if meeting.notice_type in _LEAVING else series)


def _blind_cancel(meeting: Meeting, told: Series | None) -> Plan:
    """Pass on a cancellation of what was never told, one calendar an instance."""
    sheets = []
    sequence = max(meeting.sequence, told.sequence if told else 0)
    for component in meeting.components:
        slot = recurrence_id(component, meeting.zone_of)
        own = own_occurrences(component, meeting.zone_of, MAX_SINGLES)
        if slot is not None and is_this_and_future(component):
            entries = [Entry(component, one, slot=one.start) for one in own]
        else:
            rules = values_of(component, "RRULE") if slot is None else []
            entries = [Entry(component, own[0], slot=slot, rule=_rule_of(rules, component, meeting))]
        sheets += [Sheet("CANCEL", (entry,), meeting.zone, sequence) for entry in entries]
    return Plan(tuple(sheets))


def _rule_of(rules: Sequence[vRecur], component: Component, meeting: Meeting) -> str:
    start = moment_of(component, "DTSTART")
    if len(rules) != 1 or start is None:
        return ""
    local = to_local(to_utc(start[0], meeting.zone_of(start[1])), meeting.zone)
    return rule_text(rules[0], local, meeting.zone) if is_readable(rules[0], local) else ""
