"""What a conversion for Notes knows of a meeting beforehand, and what it makes of it: values between its modules."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from icalendar import Calendar, Component
from icalendar.prop import vInt

from services.transform.calendar.series import Series, Told, memory_key
from services.transform.calendar.to_notes.properties import Public
from services.transform.pipeline import Recall
from shared.calendar.ical import moment_of, text_of, values_of
from shared.calendar.moments import ZoneOf, after, instant
from shared.calendar.recurrence import HORIZON, recurrence_id
from shared.calendar.values import Moment, Text
from shared.errors import MalformedCalendar
from shared.spool.memory import Remember

RECURRENCE = ("RRULE", "RDATE", "EXDATE", "EXRULE")

_NOTES_UID = re.compile(r"-Lotus_(?:Notes|Auto)_Generated", re.IGNORECASE)
_AGAIN = re.compile(r"(?P<uid>.+)-causeway-again(?P<time>\d{1,3})", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Situation:
    """What holds for the whole message. source, destination: names of systems. now: in UTC.

    endless: how far from now on a series without an end goes. memory: how long after its last date is known what was
    told of a meeting.
    """

    source: str
    destination: str
    now: datetime
    endless: timedelta
    memory: timedelta
    public: Public
    recall: Recall

    def horizon(self, components: Sequence[Component]) -> datetime:
        """Return until when a series of these components goes that has no end. Raises MalformedCalendar."""
        found = (moment_of(component, "DTSTART") for component in components)
        starts = [instant(one[0]) for one in found if one]
        return min(after(max([self.now, *starts]), self.endless), after(min([self.now, *starts]), HORIZON))


@dataclass(slots=True)
class Piece:
    """What became of the components of one UID. dates: those it uses. cancels: calendars to be sent beside it."""

    components: Sequence[Component]
    dates: list[date] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    memories: dict[str, Remember] = field(default_factory=dict)
    cancels: list[Calendar] = field(default_factory=list)


@dataclass(slots=True)
class Known:
    """What one side was told of a meeting; it changes as this message tells more."""

    situation: Situation
    key: str
    version: int
    series: Series | None

    @classmethod
    def of(cls, situation: Situation, side: str, uid: str) -> Known:
        """Recall what the system named `side` was told of a meeting."""
        key = memory_key(side, uid)
        memory = situation.recall(key)
        return cls(situation, key, memory.version, Series.from_json(memory.value))

    @property
    def was_cut(self) -> bool:
        """Whether instances of the series were cancelled one by one."""
        return bool(self.situation.recall(self._cut_key).value)

    def by_original(self, slot: Moment) -> Told | None:
        """Return the instance that a RECURRENCE-ID of the organizer's side names."""
        return self.series.find(slot) if self.series else None

    def by_slot(self, slot: Moment) -> Told | None:
        """Return the instance that a RECURRENCE-ID of the side told names."""
        instances = self.series.instances if self.series else ()
        named = (one for one in instances if instant(one.slot) == instant(slot))
        return next(named, None) or self.by_original(slot)

    def tell(self, piece: Piece, series: Series) -> None:
        """Remember what is told now."""
        self.series = series
        piece.memories[self.key] = Remember(self.key, self.version, series.to_json(), self._expires_at(series))

    def cut(self, piece: Piece, series: Series) -> None:
        """Remember what is told now, and that an instance of it was cancelled."""
        self.tell(piece, series)
        version = self.situation.recall(self._cut_key).version
        piece.memories[self._cut_key] = Remember(self._cut_key, version, {"format": 1}, self._expires_at(series))

    @property
    def _cut_key(self) -> str:
        return f"cut-{self.key}"

    def _expires_at(self, series: Series) -> float:
        return series.expires_at(self.situation.now.timestamp(), self.situation.memory.total_seconds())


def again_uid(uid: str) -> str:
    """Return the UID that a meeting gets when Notes would refuse it under the one it has."""
    found = _AGAIN.fullmatch(uid)
    return f"{found['uid']}-causeway-again{int(found['time']) + 1}" if found else f"{uid}-causeway-again1"


def first_uid(uid: str) -> str:
    """Return the UID that a meeting has outside Notes: the one that `again_uid` began with, any other as it is."""
    found = _AGAIN.fullmatch(uid)
    return found["uid"] if found else uid


def is_of_notes(uid: str) -> bool:
    """Whether Notes made the UID."""
    return _NOTES_UID.search(uid) is not None


def sequence_of(component: Component) -> int:
    """Return SEQUENCE, 0 where there is none."""
    return max((int(value) for value in values_of(component, "SEQUENCE")[:1]), default=0)


def identify(component: Component, uid: str, sequence: int) -> None:
    """Set UID and SEQUENCE where they are others."""
    if text_of(component, "UID") != uid:
        component["UID"] = Text(uid)
    if sequence_of(component) != sequence:
        component["SEQUENCE"] = vInt(sequence)


def slot_of(override: Component, zone_of: ZoneOf) -> Moment:
    """Return the RECURRENCE-ID in UTC or as a date. Raises MalformedCalendar where there is none."""
    slot = recurrence_id(override, zone_of)
    if slot is None:
        raise MalformedCalendar("an instance of a series without its RECURRENCE-ID")
    return slot


def day(moment: Moment) -> date:
    """Return the day of a moment, as it is written."""
    return moment.date() if isinstance(moment, datetime) else moment
