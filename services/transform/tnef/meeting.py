"""A meeting of Outlook as the iCalendar object that Exchange would have sent (MS-OXCICAL, RFC 5545, RFC 5546).

Requests, updates, responses, proposals of another time, cancellations, and appointments that are attached. Times are
local in the meeting's own zone, with its VTIMEZONE; a meeting without a known zone is in UTC. A series carries its
rule, its removed occurrences as EXDATE and its changed ones as components of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

import icalendar

from services.transform.tnef.appointment import Appointment, read_appointment, replaced_start
from services.transform.tnef.carrier import Carrier
from services.transform.tnef.icalendar_object import (
    CalendarObject,
    Method,
    add_attendee,
    add_description,
    add_invited,
    add_keywords,
    add_organizer,
    add_sensitivity,
    add_text,
    add_time,
    write,
)
from services.transform.tnef.message import Person, TnefMessage
from services.transform.tnef.recurrence import Changed, Recurrence

_METHODS: dict[str, tuple[Method, str]] = {  # message class → METHOD and, of a reply, PARTSTAT
    "IPM.Schedule.Meeting.Request": ("REQUEST", ""),
    "IPM.Schedule.Meeting.Canceled": ("CANCEL", ""),
    "IPM.Schedule.Meeting.Resp.Pos": ("REPLY", "ACCEPTED"),
    "IPM.Schedule.Meeting.Resp.Neg": ("REPLY", "DECLINED"),
    "IPM.Schedule.Meeting.Resp.Tent": ("REPLY", "TENTATIVE"),
    "IPM.Appointment": ("PUBLISH", ""),
}
_BUSY = {0: "FREE", 1: "TENTATIVE", 2: "BUSY", 3: "OOF", 4: "WORKINGELSEWHERE"}
_FREE, _AS_BUSY = 0, 2
_EXCEPTION = "IPM.OLE.CLASS.{00061055-0000-0000-C000-000000000046}"
_PRIORITIES = {0: 9, 1: 5, 2: 1}  # by importance (MS-OXCICAL section 2.1.3.1.1.20.17)


@dataclass(frozen=True, slots=True)
class Body:
    """The text of a meeting."""

    text: str = ""
    html: str | None = None


BodyOf = Callable[[TnefMessage], Body]


def is_meeting(message: TnefMessage) -> bool:
    """Whether the message has the class of a meeting."""
    return message.is_of(*_METHODS)


def meeting_object(message: TnefMessage, carrier: Carrier, body_of: BodyOf, now: datetime) -> CalendarObject:
    """Return the meeting.

    carrier: the header around it. body_of: reads the body of a message, also of the changed occurrences attached to it.
    now: its DTSTAMP, unless the stream has a better time.

    Raises ValueError for a meeting without a start, and for a series whose pattern cannot be expressed.
    """
    sender = carrier.sender.address if carrier.sender else ""
    return _Meeting(message, read_appointment(message, sender), carrier, body_of, now).to_object()


class _Meeting:
    def __init__(
        self, message: TnefMessage, appointment: Appointment, carrier: Carrier, body_of: BodyOf, now: datetime
    ) -> None:
        self.topic, self.appointment, self.carrier = message.topic, appointment, carrier
        self.body = body_of(message)
        self.bodies = _bodies(message, appointment, body_of)
        self.method, self.answer = next(found for name, found in _METHODS.items() if message.is_of(name))
        if self.answer and appointment.proposed:
            self.method, self.answer = "COUNTER", "TENTATIVE"
        changed = appointment.attendee_change if self.answer else appointment.organizer_change
        self.stamp = (changed or message.sent_at or now).replace(microsecond=0)
        named = next((person for person in carrier.recipients if person.is_organizer), None)
        others = named or next(iter(carrier.recipients), None)
        self.organizer = others if self.answer else named or carrier.sender

    def to_object(self) -> CalendarObject:
        series = self.appointment.recurrence
        events = [self._whole()]
        if series and self.method in ("REQUEST", "PUBLISH"):
            events += [self._exception(changed) for changed in series.changed]
        zone = self.appointment.zone
        zones = [] if zone.name == "UTC" or self.appointment.is_all_day else [zone.component()]
        return CalendarObject(self.method, self.appointment.uid, write(self.method, [*zones, *events]))

    def _whole(self) -> icalendar.Event:
        """Return the component of the series, of the single meeting, or of the one occurrence that is meant."""
        meeting, event = self.appointment, icalendar.Event()
        start, end = meeting.start, meeting.end
        if self.method == "COUNTER" and meeting.proposed:
            self._add_time(event, "X-MS-OLK-ORIGINALSTART", meeting.local(start))
            self._add_time(event, "X-MS-OLK-ORIGINALEND", meeting.local(end))
            start, end = meeting.proposed
        self._add_common(event)
        self._add_span(event, meeting.local(start), meeting.local(end))
        add_text(event, "SUMMARY", self.topic)
        add_text(event, "LOCATION", meeting.location)
        self._add_busy_status(event, meeting.busy_status)
        if meeting.occurrence:
            self._add_time(event, "RECURRENCE-ID", self._original_start(meeting.occurrence))
        elif meeting.recurrence:
            self._add_rule(event, meeting.recurrence)
        if meeting.reminder is not None and self.method in ("REQUEST", "PUBLISH"):
            event.add_component(_alarm(meeting.reminder))
        return event

    def _exception(self, changed: Changed) -> icalendar.Event:
        meeting, event = self.appointment, icalendar.Event()
        own = self.bodies.get(changed.original_start)
        self._add_common(event, own if own and (own.text.strip() or own.html) else None)
        self._add_time(event, "RECURRENCE-ID", meeting.as_date_or_time(changed.original_start))
        self._add_span(event, meeting.as_date_or_time(changed.start), meeting.as_date_or_time(changed.end))
        add_text(event, "SUMMARY", self.topic if changed.subject is None else changed.subject)
        add_text(event, "LOCATION", meeting.location if changed.location is None else changed.location)
        self._add_busy_status(event, meeting.busy_status if changed.busy_status is None else changed.busy_status)
        return event

    def _original_start(self, day: date) -> datetime | date:
        meeting = self.appointment
        if meeting.original_start:
            return meeting.local(meeting.original_start)
        return meeting.as_date_or_time(datetime.combine(day, meeting.zone.to_local(meeting.start).time()))

    def _add_time(self, event: icalendar.Event, name: str, when: datetime | date) -> None:
        add_time(event, name, when, self.appointment.zone.name)

    def _add_span(self, event: icalendar.Event, start: datetime | date, end: datetime | date) -> None:
        if not isinstance(start, datetime) and end <= start:
            end = start + timedelta(days=1)  # RFC 5545 section 3.8.2.2: the end is the day after
        self._add_time(event, "DTSTART", start)
        self._add_time(event, "DTEND", end)

    def _add_common(self, event: icalendar.Event, own: Body | None = None) -> None:
        """Add what a series and each of its changed occurrences have in common. own: another body than the series'."""
        meeting, body = self.appointment, own or self.body
        event.add("UID", meeting.uid)
        event.add("DTSTAMP", self.stamp)
        event.add("SEQUENCE", meeting.sequence)
        event.add("PRIORITY", _PRIORITIES.get(meeting.importance, 5))
        add_sensitivity(event, meeting.sensitivity)
        add_keywords(event, meeting.keywords)
        delegate = self.carrier.delegate
        add_organizer(event, self.organizer, None if self.answer else delegate)
        if self.answer:
            add_attendee(event, self.carrier.sender or Person("", ""), delegate, PARTSTAT=self.answer)
            add_text(event, "COMMENT", body.text)
        else:
            if self.method != "PUBLISH":
                add_invited(event, self.carrier.recipients, self.organizer, is_answer_wanted=meeting.wants_answer)
            add_description(event, body.text, body.html)
        event.add("STATUS", "CANCELLED" if self.method == "CANCEL" else "CONFIRMED")
        event.add("X-MICROSOFT-CDO-APPT-SEQUENCE", str(meeting.sequence))
        event.add("X-MICROSOFT-CDO-ALLDAYEVENT", "TRUE" if meeting.is_all_day else "FALSE")
        event.add("X-MICROSOFT-CDO-IMPORTANCE", str(meeting.importance))
        event.add("X-MICROSOFT-DISALLOW-COUNTER", "FALSE" if meeting.allows_counter else "TRUE")
        if meeting.owner_id:
            event.add("X-MICROSOFT-CDO-OWNERAPPTID", str(meeting.owner_id))

    def _add_busy_status(self, event: icalendar.Event, status: int | None) -> None:
        intended = self.appointment.intended_status
        event.add("TRANSP", "TRANSPARENT" if (intended if intended in _BUSY else status) == _FREE else "OPAQUE")
        event.add("X-MICROSOFT-CDO-BUSYSTATUS", _BUSY.get(_AS_BUSY if status is None else status, "BUSY"))
        if intended in _BUSY:
            event.add("X-MICROSOFT-CDO-INTENDEDSTATUS", _BUSY[intended])

    def _add_rule(self, event: icalendar.Event, recurrence: Recurrence) -> None:
        meeting = self.appointment
        until: datetime | date | None = recurrence.until
        if until and not meeting.is_all_day:
            until = meeting.zone.to_utc(datetime.combine(until, time()) + recurrence.start_of_day)
        event.add("RRULE", recurrence.rrule(until))
        for day in recurrence.removed:
            self._add_time(
                event, "EXDATE", meeting.as_date_or_time(datetime.combine(day, time()) + recurrence.start_of_day)
            )


def _bodies(message: TnefMessage, appointment: Appointment, body_of: BodyOf) -> dict[datetime, Body]:
    """Return the bodies of changed occurrences by their original starts.

    Each is a message that is attached (MS-OXOCAL section 2.2.10.1.6), which has its original start; without it,
    they are in the order of the pattern.
    """
    attached = [one.message for one in message.attachments if one.message and one.message.is_of(_EXCEPTION)]
    changed = appointment.recurrence.changed if appointment.recurrence else ()
    by_start = {start: one for one in attached if (start := replaced_start(one))}
    in_order = dict(zip(changed, attached, strict=False)) if len(attached) == len(changed) and not by_start else {}
    found = {
        one.original_start: by_start.get(appointment.zone.to_utc(one.original_start)) or in_order.get(one)
        for one in changed
    }
    return {start: body_of(nested) for start, nested in found.items() if nested}


def _alarm(before: timedelta) -> icalendar.Alarm:
    alarm = icalendar.Alarm()
    alarm.add("ACTION", "DISPLAY")
    alarm.add("DESCRIPTION", "REMINDER")
    alarm.add("TRIGGER", -before)
    return alarm
