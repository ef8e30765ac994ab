"""The properties of a meeting (MS-OXOCAL section 2.2.1), from any message about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from hashlib import sha256

from services.transform.tnef import global_object_id, time_zone
from services.transform.tnef.message import TnefMessage
from services.transform.tnef.properties import (
    PS_PUBLIC_STRINGS,
    PSETID_APPOINTMENT,
    PSETID_COMMON,
    PSETID_MEETING,
    Properties,
)
from services.transform.tnef.recurrence import Recurrence, read_recurrence
from services.transform.tnef.time_zone import Zone

_SEQUENCE = (PSETID_APPOINTMENT, 0x8201)
_BUSY_STATUS = (PSETID_APPOINTMENT, 0x8205)
_LOCATION = (PSETID_APPOINTMENT, 0x8208)
_START = (PSETID_APPOINTMENT, 0x820D)
_END = (PSETID_APPOINTMENT, 0x820E)
_ALL_DAY = (PSETID_APPOINTMENT, 0x8215)
_RECURRENCE = (PSETID_APPOINTMENT, 0x8216)
_IS_RECURRING = (PSETID_APPOINTMENT, 0x8223)
_INTENDED_STATUS = (PSETID_APPOINTMENT, 0x8224)
_REPLACED_TIME = (PSETID_APPOINTMENT, 0x8228)
_ZONE_RULE = (PSETID_APPOINTMENT, 0x8233)
_ZONE_TEXT = (PSETID_APPOINTMENT, 0x8234)
_PROPOSED_START = (PSETID_APPOINTMENT, 0x8250)
_PROPOSED_END = (PSETID_APPOINTMENT, 0x8251)
_IS_COUNTER = (PSETID_APPOINTMENT, 0x8257)
_NO_COUNTER = (PSETID_APPOINTMENT, 0x825A)
_ZONE_OF_START = (PSETID_APPOINTMENT, 0x825E)
_ZONE_OF_SERIES = (PSETID_APPOINTMENT, 0x8260)
_ATTENDEE_CHANGE = (PSETID_MEETING, 0x1)
_WHERE = (PSETID_MEETING, 0x2)
_GLOBAL_ID = (PSETID_MEETING, 0x3)
_OWNER_CHANGE = (PSETID_MEETING, 0x1A)
_CLEAN_GLOBAL_ID = (PSETID_MEETING, 0x23)
_REMINDER_MINUTES, _HAS_REMINDER = (PSETID_COMMON, 0x8501), (PSETID_COMMON, 0x8503)
_COMMON_START, _COMMON_END = (PSETID_COMMON, 0x8516), (PSETID_COMMON, 0x8517)
_KEYWORDS = (PS_PUBLIC_STRINGS, "Keywords")
_IMPORTANCE, _SENSITIVITY, _START_DATE, _END_DATE, _OWNER_ID = 0x0017, 0x0036, 0x0060, 0x0061, 0x0062
_RESPONSE_REQUESTED = 0x0063

_DEFAULT_REMINDER = 0x5AE980E1  # "as the recipient likes it": 15 minutes (MS-OXORMDR section 2.2.1.4)
_MAX_REMINDER_MINUTES = 366 * 24 * 60
_MAX_DISTANCE = timedelta(hours=16)


@dataclass(frozen=True, slots=True)
class Appointment:
    """A meeting: when, where, which. start, end, proposed: in UTC.

    occurrence: the original day of the one occurrence that is meant, None for all; original_start: the same as a moment
    in UTC, if given. proposed: start and end of a counter-proposal. intended_status, busy_status: 0 free to
    4 elsewhere. reminder: how long before, None for none. organizer_change, attendee_change: when it was last touched.
    """

    start: datetime
    end: datetime
    is_all_day: bool
    zone: Zone
    recurrence: Recurrence | None
    uid: str
    occurrence: date | None
    original_start: datetime | None
    proposed: tuple[datetime, datetime] | None
    sequence: int
    location: str
    busy_status: int | None
    intended_status: int | None
    allows_counter: bool
    wants_answer: bool
    reminder: timedelta | None
    importance: int
    sensitivity: int | None
    owner_id: int | None
    keywords: tuple[str, ...]
    organizer_change: datetime | None
    attendee_change: datetime | None

    def local(self, moment: datetime) -> datetime | date:
        """Return a moment in UTC in the meeting's form: local time of its zone, or a date."""
        return self.as_date_or_time(self.zone.to_local(moment))

    def as_date_or_time(self, local: datetime) -> datetime | date:
        """Return a local time in the meeting's form: unchanged, or its date."""
        return local.date() if self.is_all_day else local


def read_appointment(message: TnefMessage, sender: str) -> Appointment:
    """Return the meeting of a message. sender: used for a UID if the meeting has none.

    Raises ValueError for one without a start, and for a series whose pattern cannot be expressed.
    """
    properties = message.properties
    start = properties.moment(_START, _COMMON_START, _START_DATE) or message.start
    end = properties.moment(_END, _COMMON_END, _END_DATE) or message.end
    if start is None:
        raise ValueError("a meeting without a start")
    octets = properties.octets(_RECURRENCE)
    is_series = properties.flag(_IS_RECURRING) or _IS_RECURRING not in properties
    recurrence = read_recurrence(octets) if octets and is_series else None
    is_all_day = properties.flag(_ALL_DAY)
    global_id, clean_id = properties.octets(_GLOBAL_ID) or b"", properties.octets(_CLEAN_GLOBAL_ID)
    identity = clean_id or global_id
    owner_id = properties.number(_OWNER_ID)
    by_hand = sha256(f"{sender} {owner_id} {start}".encode()).hexdigest()[:32].upper()
    return Appointment(
        start=start,
        end=max(end or start, start),
        is_all_day=is_all_day,
        zone=_zone(properties, start, recurrence, is_all_day),
        recurrence=recurrence,
        uid=global_object_id.uid(identity) if identity else by_hand,
        occurrence=global_object_id.occurrence(global_id),
        original_start=properties.moment(_REPLACED_TIME),
        proposed=_proposed(properties),
        sequence=max(properties.number(_SEQUENCE) or 0, 0),
        location=properties.text(_LOCATION, _WHERE),
        busy_status=properties.number(_BUSY_STATUS),
        intended_status=properties.number(_INTENDED_STATUS),
        allows_counter=not properties.flag(_NO_COUNTER),
        wants_answer=properties.flag(_RESPONSE_REQUESTED) or _RESPONSE_REQUESTED not in properties,
        reminder=_reminder(properties),
        importance=1 if (importance := properties.number(_IMPORTANCE)) is None else importance,
        sensitivity=properties.number(_SENSITIVITY),
        owner_id=owner_id,
        keywords=properties.texts(_KEYWORDS),
        organizer_change=properties.moment(_OWNER_CHANGE),
        attendee_change=properties.moment(_ATTENDEE_CHANGE),
    )


def replaced_start(message: TnefMessage) -> datetime | None:
    """Return, in UTC, the original start of the occurrence that an attached message changes; None for others."""
    return message.properties.moment(_REPLACED_TIME)


def _zone(properties: Properties, start: datetime, recurrence: Recurrence | None, is_all_day: bool) -> Zone:
    """Return the zone of the series, else of the start, else the bare rule; UTC where there is none.

    An all-day meeting without a zone begins at midnight wherever that was; a series without one keeps the distance
    between its local and its absolute start.
    """
    keys = (_ZONE_OF_SERIES, _ZONE_OF_START) if recurrence else (_ZONE_OF_START, _ZONE_OF_SERIES)
    for key in keys:
        octets = properties.octets(key)
        if octets and (zone := time_zone.read_definition(octets, start.year)):
            return zone
    octets = properties.octets(_ZONE_RULE)
    if octets and (zone := time_zone.read_rule(octets, properties.text(_ZONE_TEXT))):
        return zone
    distance = timedelta()
    if recurrence:
        first = datetime.combine(recurrence.start, time()) + recurrence.start_of_day
        distance = first - start.replace(tzinfo=None)
    elif is_all_day:
        past_midnight = timedelta(hours=start.hour, minutes=start.minute)
        distance = timedelta(days=1) - past_midnight if past_midnight >= timedelta(hours=12) else -past_midnight
    return time_zone.fixed(distance if abs(distance) < _MAX_DISTANCE else timedelta())


def _proposed(properties: Properties) -> tuple[datetime, datetime] | None:
    start, end = properties.moment(_PROPOSED_START), properties.moment(_PROPOSED_END)
    return (start, max(end or start, start)) if start and properties.flag(_IS_COUNTER) else None


def _reminder(properties: Properties) -> timedelta | None:
    minutes = properties.number(_REMINDER_MINUTES)
    if minutes == _DEFAULT_REMINDER:
        minutes = 15
    if not properties.flag(_HAS_REMINDER) or minutes is None or not 0 <= minutes <= _MAX_REMINDER_MINUTES:
        return None
    return timedelta(minutes=minutes)
