"""What Outlook is sent for a notice of Notes: which of the ways to say it. Pure.

A notice that is out of date is sent below the SEQUENCE that Outlook has, under a name that it has, so that Outlook sees
it as such; nothing is remembered of it. One that changes something is sent above it.
"""

from __future__ import annotations

from dataclasses import replace

from services.transform.calendar.notice import Decision
from services.transform.calendar.sent import SentInstance, SentMeeting
from services.transform.calendar.to_exchange.cancel import cancel_all, cancel_unknown, take_out
from services.transform.calendar.to_exchange.instances import ORPHANS, change_instances, named_instances, pass_orphans
from services.transform.calendar.to_exchange.plan import (
    Entry,
    MeetingChange,
    Method,
    SendPlan,
    Sheet,
    Wanted,
    wanted_of,
)
from services.transform.calendar.to_exchange.series import define
from shared.calendar.recurrence import first_occurrence, recurrence_id
from shared.calendar.values import Moment

_JOINING = frozenset(("I", "L"))  # X-LOTUS-NOTICETYPE: invited, or named by a delegate: one person comes in


def plan_notice(change: MeetingChange, decision: Decision) -> SendPlan:
    """Plan what Outlook is sent for a notice, which is something. Raises MalformedCalendar."""
    plan = _plan(change, decision)
    return (
        plan if plan.sheets or plan.is_unsupported else replace(plan, sheets=_out_of_date(change, change.sent).sheets)
    )


def _plan(change: MeetingChange, decision: Decision) -> SendPlan:
    sent, notice, meeting = change.sent, change.notice, change.meeting
    if decision.is_personal:
        return take_out(change, sent) if sent and sent.alive else replace(cancel_unknown(change), sent=None)
    if not decision.is_in_force and (sent is None or not _differs(change, sent)):
        return _out_of_date(change, sent)
    if not meeting.is_alive:
        if sent is None or not sent.instances:
            return cancel_unknown(change)
        return cancel_all(change, sent)
    if meeting.whole is None and not notice.is_whole and (sent is None or sent.rule == ORPHANS):
        return pass_orphans(change)
    if sent and notice.notice_type in _JOINING and all(one.scope == "rest" for one in notice.statements):
        return _join_rest(change)
    if notice.is_whole or sent is None or sent.rule == ORPHANS or _is_renamed(change, sent):
        return define(change, wanted_of(change))
    return change_instances(change, sent)


def _is_renamed(change: MeetingChange, sent: SentMeeting) -> bool:
    """Whether other instances than those of the notice have other names, which a late notice said."""
    has, is_now = {one.original for one in sent.alive}, {one.original for one in change.meeting.alive}
    return bool((has ^ is_now) - named_instances(change))


def _join_rest(change: MeetingChange) -> SendPlan:
    """Invite one person to an instance and all that follow, who gets a series of those; the others have theirs."""
    expansion = change.notice.expansion
    assert expansion  # of every request
    wanted = [Wanted(one.slot, one.occurrence, one.component) for one in expansion.instances]
    return replace(define(replace(change, sent=None), wanted), sent=None, is_news=False)


def _differs(change: MeetingChange, sent: SentMeeting) -> bool:
    """Whether the meeting is another one than Outlook has."""
    has = {one.original: one.occurrence for one in sent.alive}
    return has != {one.original: one.occurrence for one in change.meeting.alive}


def _out_of_date(change: MeetingChange, sent: SentMeeting | None) -> SendPlan:
    """Send what an out-of-date notice says, as one that Outlook passes over.

    What is cancelled by now, and Outlook never had, it is sent as a cancellation: it could not tell that it is too old.
    """
    notice = change.notice
    sheets = []
    for component in notice.components:
        slot = recurrence_id(component, notice.zone_of)
        entry, highest = Entry(component, first_occurrence(component, notice.zone_of), slot=slot), notice.sequence
        is_gone = not notice.is_cancelled and _is_gone_unseen(change, sent, slot)
        method: Method = "CANCEL" if is_gone or notice.is_cancelled else "REQUEST"
        if sent:
            entry, highest = _as_known(change, sent, entry, method)
        if is_gone:
            sequence, stamp = (max(notice.sequence, sent.sequence), sent.stamped_at) if sent else (notice.sequence, 0)
            sheets.append(Sheet(method, (entry,), change.zone, sequence, stamp))
        else:
            sheets.append(Sheet(method, (entry,), change.zone, min(notice.sequence, max(highest - 1, 0))))
        if slot is None:
            break
    first = sheets[0]
    if sent and first.method == "REQUEST" and first.entries[0].slot is None and first.entries[0].apart is None:
        sheets = [replace(_whole(change), sequence=first.sequence)]
    return SendPlan(tuple(sheets))


def _is_gone_unseen(change: MeetingChange, sent: SentMeeting | None, slot: Moment | None) -> bool:
    """Whether a meeting, or an instance of it, is cancelled and Outlook was never sent it."""
    if slot is None:
        return not change.meeting.is_alive and (sent is None or sent.rule == ORPHANS or not sent.instances)
    held = change.meeting.find(slot, change.zone)
    is_gone = held.is_cancelled if held else not change.meeting.is_alive
    return is_gone and (sent is None or sent.by_original(held.original if held else slot) is None)


def _as_known(change: MeetingChange, sent: SentMeeting, entry: Entry, method: Method) -> tuple[Entry, int]:
    """Return an entry under a name that Outlook has, and the SEQUENCE that it has there.

    Where Outlook has single meetings only, no series may come to be: what is unknown is a request for one that it has,
    and a cancellation of one that it never had.
    """
    one: SentInstance | None = None
    name = entry.slot
    if entry.slot is not None:
        held = change.meeting.find(entry.slot, change.zone)
        name = held.original if held else entry.slot
        one = sent.by_original(name)
    if one is None and sent.is_exploded:
        if method == "CANCEL":
            name = name or sent.instances[0].original
            return replace(entry, slot=None, apart=name), 0
        one = sent.instances[0]
    if one is None:
        return entry, sent.sequence
    named = replace(entry, slot=None, apart=one.original) if one.is_apart else replace(entry, slot=one.slot)
    return named, one.sequence


def _whole(change: MeetingChange) -> Sheet:
    """Return the calendar of all that a notice says by itself."""
    expansion = change.notice.expansion
    assert expansion  # of every request
    alone = replace(change, sent=None)
    wanted = [Wanted(one.slot, one.occurrence, one.component) for one in expansion.instances]
    plan = define(alone, wanted) if wanted else SendPlan()
    if plan.sheets and plan.sheets[0].entries[0].apart is None:
        return plan.sheets[0]
    first = first_occurrence(change.template, change.notice.zone_of)
    return Sheet("REQUEST", (Entry(change.template, first),), change.zone, change.notice.sequence)
