"""Cancellations of meetings of Notes, planned for Outlook. Pure.

One and all that follow are cancelled by an update that ends the series earlier, one message; Outlook would take one
cancellation an instance.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from icalendar import Component
from icalendar.prop import vRecur

from services.transform.calendar.patterns import is_readable
from services.transform.calendar.sent import SentInstance, SentMeeting
from services.transform.calendar.to_exchange.instances import ORPHANS
from services.transform.calendar.to_exchange.plan import Entry, MeetingChange, SendPlan, Sheet, cancel_sheet
from services.transform.calendar.to_exchange.series import MAX_SINGLES, rule_text
from shared.calendar.ical import moment_of, values_of
from shared.calendar.moments import Occurrence, to_local, to_utc
from shared.calendar.recurrence import first_occurrence, is_this_and_future, own_occurrences, recurrence_id


def cancel_all(change: MeetingChange, sent: SentMeeting) -> SendPlan:
    """Cancel everything that Outlook has of a meeting; another copy of the notice says the same again."""
    notice = change.notice
    stamped_at = max(sent.stamped_at, notice.stamped_at)
    after = sent.cancelled(notice.id, notice.sequence, notice.sequence, stamped_at)
    gone = [one for one in after.instances if one.changed_by == notice.id] or list(after.instances)
    return SendPlan(tuple(_cancellations(change, after, gone)), after)


def take_out(change: MeetingChange, sent: SentMeeting) -> SendPlan:
    """Take one person out of a meeting that goes on for the others: nothing of it is remembered."""
    named = [
        held.original
        for component in change.notice.components
        if (slot := recurrence_id(component, change.notice.zone_of)) is not None
        and (held := change.meeting.find(slot, change.zone)) is not None
    ]
    is_whole = any(recurrence_id(one, change.notice.zone_of) is None for one in change.notice.components)
    gone = [one for one in sent.alive if is_whole or one.original in named]
    said = replace(sent, sequence=max(sent.sequence, change.notice.sequence))
    if is_whole:
        return SendPlan(tuple(_cancellations(change, said, gone)))
    return SendPlan(tuple(cancel_sheet(change.template, one, change.zone) for one in gone))


def cancel_unknown(change: MeetingChange) -> SendPlan:
    """Pass on a cancellation of what was never sent, one calendar an instance."""
    sheets = []
    notice = change.notice
    for component in notice.components:
        slot = recurrence_id(component, notice.zone_of)
        own = own_occurrences(component, notice.zone_of, MAX_SINGLES)
        if slot is not None and is_this_and_future(component):
            entries = [Entry(component, one, slot=one.start) for one in own]
        else:
            rules = values_of(component, "RRULE") if slot is None else []
            first = first_occurrence(component, notice.zone_of)
            entries = [Entry(component, first, slot=slot, rule=_rule_of(rules, component, change))]
        sheets += [Sheet("CANCEL", (entry,), change.zone, notice.sequence) for entry in entries]
    sent = change.sent or SentMeeting(change.uid)
    return SendPlan(
        tuple(sheets),
        replace(
            sent,
            sequence=max(sent.sequence, notice.sequence),
            stamped_at=max(sent.stamped_at, notice.stamped_at),
        ),
    )


def _cancellations(change: MeetingChange, sent: SentMeeting, gone: Sequence[SentInstance]) -> Iterator[Sheet]:
    ruled = [one for one in gone if not one.is_apart]
    zone, stamp = change.zone, sent.stamped_at
    if ruled and sent.rule != ORPHANS:
        first = ruled[0].occurrence
        if sent.start is not None:
            first = Occurrence(sent.start, sent.start + sent.length)
        yield Sheet("CANCEL", (Entry(change.template, first, rule=sent.rule),), zone, sent.sequence, stamp)
    else:
        yield from (cancel_sheet(change.template, replace(one, sequence=sent.sequence), zone, stamp) for one in ruled)
    yield from (
        cancel_sheet(change.template, replace(one, sequence=sent.sequence), zone, stamp) for one in gone if one.is_apart
    )


def _rule_of(rules: Sequence[vRecur], component: Component, change: MeetingChange) -> str:
    start = moment_of(component, "DTSTART")
    if len(rules) != 1 or start is None:
        return ""
    local = to_local(to_utc(start[0], change.notice.zone_of(start[1])), change.zone)
    return rule_text(rules[0], local, change.zone) if is_readable(rules[0], local) else ""
