"""The values in which it is planned what Outlook is sent of a meeting that Notes organises."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta, tzinfo
from typing import Literal

from icalendar import Component

from services.transform.calendar.life import Meeting
from services.transform.calendar.notice import Notice
from services.transform.calendar.sent import SentInstance, SentMeeting
from shared.calendar.moments import Occurrence
from shared.calendar.values import Moment

Method = Literal["REQUEST", "CANCEL"]
Unsupported = Literal["explode", "notice", "pass"]


@dataclass(frozen=True, slots=True)
class MeetingChange:
    """A notice of Notes about a meeting, what the meeting is with it, and what Outlook was last sent of it."""

    uid: str
    notice: Notice
    meeting: Meeting
    sent: SentMeeting | None = None
    unsupported: Unsupported = "explode"

    @property
    def zone(self) -> tzinfo:
        """The zone that the meeting is sent in."""
        return self.notice.zone

    @property
    def template(self) -> Component:
        """The component that says what the meeting looks like."""
        return self.notice.components[0]


@dataclass(frozen=True, slots=True)
class Wanted:
    """An instance that Outlook is to have. template: the component that says what it looks like."""

    original: Moment
    occurrence: Occurrence
    template: Component
    sequence: int = 0


@dataclass(frozen=True, slots=True)
class Entry:
    """One component to be written: the template at other times.

    apart: the instance that it stands for by itself, None in the series. slot: its RECURRENCE-ID, in UTC or a date.
    rule, excluded, last: of a series; excluded are local slots, last is the last slot, in UTC or a date.
    """

    template: Component
    occurrence: Occurrence
    slot: Moment | None = None
    apart: Moment | None = None
    rule: str = ""
    excluded: tuple[Moment, ...] = ()
    last: Moment | None = None


@dataclass(frozen=True, slots=True)
class Sheet:
    """One calendar to be sent: REQUEST or CANCEL, and its entries, those of one UID. stamped_at: the least DTSTAMP."""

    method: Method
    entries: tuple[Entry, ...]
    zone: tzinfo
    sequence: int
    stamped_at: int = 0


@dataclass(frozen=True, slots=True)
class SendPlan:
    """What to send, the first in the message itself, and what Outlook was sent after it; None for nothing new.

    is_unsupported: the recurrence cannot be said, and by setting it stays as it is; there are then no sheets. is_news:
    whether the notice is to be remembered.
    """

    sheets: tuple[Sheet, ...] = ()
    sent: SentMeeting | None = None
    is_unsupported: bool = False
    is_news: bool = True


def wanted_of(change: MeetingChange) -> list[Wanted]:
    """Return what Outlook is to have of the meeting, by start."""
    templates = dict(change.notice.template_of(change.meeting))
    return [
        Wanted(held.original, held.occurrence, templates.get(held.original, change.template), held.sequence)
        for held in change.meeting.alive
    ]


def as_sent(one: Wanted, slot: Moment | None = None, *, is_apart: bool = False) -> SentInstance:
    """Return an instance as sent in the series where it is, or where its slot is."""
    place = one.occurrence.start if slot is None else slot
    return SentInstance(one.original, place, one.occurrence, is_apart, source_sequence=one.sequence)


def after_sending(
    change: MeetingChange,
    instances: Sequence[SentInstance],
    *,
    rule: str = "",
    start: Moment | None = None,
    length: timedelta = timedelta(),
) -> SentMeeting:
    """Return what Outlook was sent once the meeting was sent anew; cancelled instances stay known.

    SEQUENCE is one that Outlook takes: higher than the last where times changed (RFC 5546 section 2.1.4).
    """
    sent, notice = change.sent, change.notice
    known = {one.original for one in instances}
    gone = tuple(_gone(one, notice.id) for one in sent.instances if one.original not in known) if sent else ()
    sequence = notice.sequence
    if sent:
        before = {(one.original, one.slot, one.occurrence, one.is_apart) for one in sent.alive}
        now = {(one.original, one.slot, one.occurrence, one.is_apart) for one in instances}
        is_changed = (before, sent.rule) != (now, rule) or bool(sent.cancelled_by)
        sequence = max(notice.sequence, sent.sequence + is_changed)
    marks = {one.original: one for one in sent.instances} if sent else {}
    kept = tuple(_sequenced(one, sequence, marks.get(one.original), notice.id) for one in instances)
    return SentMeeting(
        uid=change.uid,
        instances=(*kept, *(replace(one, sequence=sequence) if one.changed_by == notice.id else one for one in gone)),
        rule=rule,
        start=start,
        length=length,
        zone=str(getattr(change.zone, "key", "UTC")),
        sequence=sequence,
        source_sequence=notice.sequence,
        stamped_at=max(notice.stamped_at, sent.stamped_at if sent else 0),
    )


def _gone(one: SentInstance, notice: str) -> SentInstance:
    return one if one.is_cancelled else replace(one, is_cancelled=True, changed_by=notice)


def _sequenced(one: SentInstance, sequence: int, was: SentInstance | None, notice: str) -> SentInstance:
    """Return an instance with its SEQUENCE; one that leaves the series by this notice, or comes back, says so."""
    left_by = ""
    if was and was.is_apart == one.is_apart:
        left_by = was.left_by
    elif was and not was.is_cancelled:
        left_by = notice
    if (one.sequence, one.left_by) == (sequence, left_by):
        return one
    return replace(one, sequence=sequence, left_by=left_by)


def single_sheet(one: Wanted, zone: tzinfo, sequence: int, stamped_at: int = 0) -> Sheet:
    """Return the calendar of the single meeting that stands for an instance."""
    return Sheet("REQUEST", (Entry(one.template, one.occurrence, apart=one.original),), zone, sequence, stamped_at)


def cancel_sheet(template: Component, one: SentInstance, zone: tzinfo, stamped_at: int = 0) -> Sheet:
    """Return the cancellation of one instance, as Outlook names it."""
    entry = Entry(
        template,
        one.occurrence,
        slot=None if one.is_apart else one.slot,
        apart=one.original if one.is_apart else None,
    )
    return Sheet("CANCEL", (entry,), zone, one.sequence, stamped_at)


def withdrawn(change: MeetingChange, sent: SentMeeting) -> Iterator[Sheet]:
    """Yield the cancellations of single meetings that this notice withdraws."""
    notice = change.notice.id
    for one in sent.instances:
        is_gone = one.is_cancelled and one.is_apart and one.changed_by == notice
        if is_gone or (one.left_by == notice and not one.is_apart):
            yield cancel_sheet(change.template, replace(one, is_apart=True), change.zone, sent.stamped_at)
