"""What a conversion for Notes knows of its message, and what it makes of one meeting: values between its modules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from icalendar import Calendar, Component
from icalendar.prop import vInt

from services.transform.calendar.notice import sequence_of
from services.transform.pipeline import Recall
from shared.calendar.ical import moment_of, put_moment, text_of
from shared.calendar.moments import ZoneOf, after, instant
from shared.calendar.recurrence import HORIZON, recurrence_id
from shared.calendar.values import Moment, Text
from shared.errors import MalformedCalendar
from shared.spool.memory import Remember

RECURRENCE = ("RRULE", "RDATE", "EXDATE", "EXRULE")


@dataclass(frozen=True, slots=True)
class MeetingContext:
    """What holds for the whole message. source, destination: names of systems. now: in UTC.

    endless: how far from now on a series without an end goes. memory: how long after its last date is known what was
    sent of a meeting. public: gives the public address for one. senders, recipients: of the message, by public address,
    who wrote it first.
    """

    source: str
    destination: str
    now: datetime
    endless: timedelta
    memory: timedelta
    public: Callable[[str], str]
    recall: Recall
    senders: tuple[str, ...] = ()
    recipients: tuple[str, ...] = ()

    def horizon(self, components: Sequence[Component]) -> datetime:
        """Return until when a series of these components goes that has no end. Raises MalformedCalendar."""
        found = (moment_of(component, "DTSTART") for component in components)
        starts = [instant(one[0]) for one in found if one]
        return min(after(max([self.now, *starts]), self.endless), after(min([self.now, *starts]), HORIZON))


@dataclass(slots=True)
class Piece:
    """What became of the components of one UID.

    dates: those it uses. texts: what people are to be told. cancels: calendars to be sent beside it. method: METHOD
    where it is to be another. failure: why they are as they came.
    """

    components: Sequence[Component]
    dates: list[date] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    memories: list[Remember] = field(default_factory=list)
    cancels: list[Calendar] = field(default_factory=list)
    method: str | None = None
    failure: MalformedCalendar | None = None


def identify(component: Component, uid: str, sequence: int, stamped_at: datetime | None = None) -> None:
    """Set UID and SEQUENCE where they are others, and DTSTAMP where it is earlier than `stamped_at`."""
    if text_of(component, "UID") != uid:
        component["UID"] = Text(uid)
    if sequence_of(component) != sequence:
        component["SEQUENCE"] = vInt(sequence)
    stamp = moment_of(component, "DTSTAMP")
    if stamped_at and stamp and isinstance(stamp[0], datetime) and instant(stamp[0]) < stamped_at:
        put_moment(component, "DTSTAMP", stamped_at)


def slot_of(override: Component, zone_of: ZoneOf) -> Moment:
    """Return the RECURRENCE-ID in UTC or as a date. Raises MalformedCalendar where there is none."""
    slot = recurrence_id(override, zone_of)
    if slot is None:
        raise MalformedCalendar("an instance of a series without its RECURRENCE-ID")
    return slot


def day(moment: Moment) -> date:
    """Return the day of a moment, as it is written."""
    return moment.date() if isinstance(moment, datetime) else moment
