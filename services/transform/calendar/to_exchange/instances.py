"""Changes and cancellations of single instances of a Notes meeting, planned for Outlook. Pure.

A change of one instance is an override where the rule that was sent can hold it, else it leaves the series as a meeting
of its own. An instance whose series nobody knows is passed on by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import tzinfo

from services.transform.calendar.expression import is_holdable
from services.transform.calendar.sent import SentInstance, SentMeeting
from services.transform.calendar.to_exchange.plan import (
    Entry,
    MeetingChange,
    SendPlan,
    Sheet,
    Wanted,
    as_sent,
    cancel_sheet,
    single_sheet,
    wanted_of,
)
from shared.calendar.moments import Occurrence, day_of, instant
from shared.calendar.recurrence import recurrence_id
from shared.calendar.values import Moment

ORPHANS = "RECURRENCE-ID"  # what a meeting has in the place of a rule of which only single instances are known


def change_instances(change: MeetingChange, sent: SentMeeting) -> SendPlan:
    """Plan what differs from what Outlook was sent, and what the notice is about even where it does not differ."""
    after = _changed(change, sent)
    wanted = {one.original: one for one in wanted_of(change)}
    touched = [
        one for one in after.instances if one.changed_by == change.notice.id or one.original in named_instances(change)
    ]
    return SendPlan(tuple(_sheets(change, after, touched, wanted)), after)


def pass_orphans(change: MeetingChange, *, is_remembered: bool = True) -> SendPlan:
    """Pass on single instances whose series was never sent."""
    notice, sent = change.notice, change.sent
    sequence = max(notice.sequence, sent.sequence if sent else 0)
    sheets, instances = [], list(sent.instances) if sent else []
    method = "CANCEL" if notice.is_cancelled else "REQUEST"
    for component in notice.components:
        slot = recurrence_id(component, notice.zone_of)
        held = change.meeting.find(slot, change.zone) if slot is not None else None
        if slot is None or held is None:
            continue
        entry = Entry(component, held.occurrence, slot=slot)
        sheets.append(Sheet("CANCEL" if method == "CANCEL" else "REQUEST", (entry,), change.zone, sequence))
        now = SentInstance(
            held.original, slot, held.occurrence, False, held.is_cancelled, sequence, held.sequence, notice.id
        )
        instances = [one for one in instances if one.original != held.original] + [now]
    after = replace(
        sent or SentMeeting(change.uid, rule=ORPHANS, zone=str(getattr(change.zone, "key", "UTC"))),
        instances=tuple(instances),
        sequence=sequence,
        stamped_at=max(notice.stamped_at, sent.stamped_at if sent else 0),
    )
    return SendPlan(tuple(sheets), after if is_remembered else None)


def _changed(change: MeetingChange, sent: SentMeeting) -> SentMeeting:
    """Return what Outlook has once it has the meeting as it is."""
    notice = change.notice
    held = {one.original: one for one in change.meeting.held}
    known = {one.original for one in sent.instances}
    instances: list[SentInstance] = []
    for was in sent.instances:
        now = held.get(was.original)
        if now is None or now.is_cancelled:
            instances.append(was if was.is_cancelled else _marked(replace(was, is_cancelled=True), notice.id, now))
        elif was.is_cancelled:
            back = replace(was, is_cancelled=False, is_apart=True, occurrence=now.occurrence)
            instances.append(_marked(back, notice.id, now))
        elif now.occurrence != was.occurrence:
            instances.append(_marked(replace(was, occurrence=now.occurrence), notice.id, now))
        else:
            instances.append(replace(was, source_sequence=now.sequence))
    instances.extend(
        _marked(as_sent(one, one.original, is_apart=True), notice.id, None)
        for one in wanted_of(change)
        if one.original not in known
    )
    named = named_instances(change)
    instances.extend(
        SentInstance(
            one.original,
            one.original,
            one.occurrence,
            is_apart=sent.is_exploded,
            is_cancelled=True,
            source_sequence=one.sequence,
            changed_by=notice.id,
        )
        for one in change.meeting.held
        if one.is_cancelled and one.original in named and one.original not in known
    )
    if not _fits(instances, sent, change.zone):
        instances = [
            replace(one, is_apart=True, left_by=notice.id)
            if one.changed_by == notice.id and not one.is_apart and not one.is_cancelled
            else one
            for one in instances
        ]
    is_changed = [_essence(one) for one in instances] != [_essence(one) for one in sent.instances]
    sequence = max(notice.sequence, sent.sequence + is_changed) if is_changed else sent.sequence
    before = {one.original: one for one in sent.instances}
    return replace(
        sent,
        instances=tuple(
            one
            if (prior := before.get(one.original)) and _essence(prior) == _essence(one)
            else replace(one, sequence=sequence)
            for one in instances
        ),
        sequence=sequence,
        stamped_at=max(sent.stamped_at, notice.stamped_at),
    )


def _marked(one: SentInstance, notice: str, held: object) -> SentInstance:
    sequence = getattr(held, "sequence", one.source_sequence)
    return replace(one, changed_by=notice, source_sequence=sequence)


def _essence(one: SentInstance) -> tuple[object, ...]:
    return one.original, one.slot, one.occurrence, one.is_apart, one.is_cancelled


def named_instances(change: MeetingChange) -> frozenset[Moment]:
    """Return the names of the instances that the notice is about."""
    notice = change.notice
    slots = (recurrence_id(component, notice.zone_of) for component in notice.components)
    found = ((slot, change.meeting.find(slot, change.zone)) for slot in slots if slot is not None)
    return frozenset(held.original if held else slot for slot, held in found)


def _sheets(
    change: MeetingChange, sent: SentMeeting, touched: Iterable[SentInstance], wanted: dict[Moment, Wanted]
) -> Iterator[Sheet]:
    notice, zone = change.notice, change.zone
    for one in touched:
        stamp = notice.stamped_at
        if one.is_cancelled:
            yield cancel_sheet(change.template, one, zone, stamp)
            continue
        target = wanted[one.original]
        if not one.is_apart:
            entry = Entry(target.template, target.occurrence, slot=one.slot)
            yield Sheet("REQUEST", (entry,), zone, one.sequence, stamp)
            continue
        if one.left_by == notice.id:
            left = replace(one, is_apart=False, occurrence=_of_slot(one, sent))
            yield cancel_sheet(target.template, left, zone, stamp)
        yield single_sheet(target, zone, one.sequence, stamp)


def _of_slot(one: SentInstance, sent: SentMeeting) -> Occurrence:
    """Return when an instance was before it left the series."""
    length = sent.length or instant(one.occurrence.end) - instant(one.occurrence.start)
    return Occurrence(one.slot, one.slot + length)


def _fits(instances: Iterable[SentInstance], sent: SentMeeting, zone: tzinfo) -> bool:
    """Whether the rule that was sent still holds its instances where they are now."""
    if not sent.rule:
        return False
    ruled = [one for one in instances if not one.is_apart and not one.is_cancelled]
    ruled.sort(key=lambda one: instant(one.slot))
    occurrences = [one.occurrence for one in ruled]
    moved = [one for one in ruled if one.occurrence.start != one.slot]
    elsewhere = {day_of(one.occurrence.start, zone) for one in moved} - {day_of(one.slot, zone) for one in moved}
    slots = {day_of(one.slot, zone) for one in sent.instances}
    in_order = occurrences == sorted(occurrences, key=lambda one: instant(one.start))
    return not occurrences or (in_order and is_holdable(occurrences, zone) and not elsewhere & slots)
