"""The exact occurrences of a recurring meeting (RFC 5545 section 3.8.5), whatever ways it uses to tell them. Pure.

A set of components is one meeting: at most one without RECURRENCE-ID, the master, and overrides of single instances or,
with RANGE=THISANDFUTURE, of all that follow. Notes also sends overrides alone, and lists of periods instead of rules.

Where the standard is silent: DTSTART is an occurrence even if the rule does not make it, and is then not counted by
COUNT; an override of an instance that the rule does not make adds one; of two periods that begin together the later
told counts; a time that a change of clocks skips is taken with the offset before it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from itertools import islice

from icalendar import Component
from icalendar.prop import vRecur

from shared.calendar.ical import moment_of, moments_of, text_of, values_of
from shared.calendar.moments import FLOATING, Occurrence, ZoneOf, after, day_of, instant, to_local, to_utc
from shared.calendar.rules import is_followed_to_its_end, rule_slots
from shared.calendar.values import Moment, Period
from shared.calendar.zones.find import zones_of
from shared.calendar.zones.names import plain
from shared.errors import MalformedCalendar

MAX_OCCURRENCES = 5000
_MAX_ENDLESS = 1500  # of a rule without an end
HORIZON = timedelta(days=40 * 366)  # from the start on: how far a series without an end is followed
_FAR = timedelta(days=200 * 366)  # and one with an end

_DECIDING = frozenset(("DTSTART", "DTEND", "DURATION", "RECURRENCE-ID", "RRULE", "RDATE", "EXDATE", "EXRULE"))


@dataclass(frozen=True, slots=True)
class Instance:
    """One occurrence. slot: where the series has it (RECURRENCE-ID), UTC or a date. component: what it looks like."""

    slot: Moment
    occurrence: Occurrence
    component: Component


@dataclass(frozen=True, slots=True)
class Expansion:
    """The instances of a meeting by their start. is_complete: False where a bound cut the rest off.

    regular: those of the master by itself, as if there were no overrides. ruled: all slots that its rule makes, kept
    or left out, where it has one rule that was followed to its end.
    """

    instances: tuple[Instance, ...]
    is_complete: bool
    regular: tuple[Instance, ...] = ()
    ruled: tuple[Moment, ...] = ()

    @property
    def occurrences(self) -> tuple[Occurrence, ...]:
        """When the meeting is."""
        return tuple(instance.occurrence for instance in self.instances)


def zone_finder(calendar: Component) -> ZoneOf:
    """Return what gives the zones of a calendar, right for the dates in it.

    A name that says nothing stands for the only zone that the calendar defines; without one its times are floating, as
    are times without a name: never UTC, which would move them.
    """
    zones = zones_of(calendar, _dates(calendar))
    names = (plain(text_of(component, "TZID")) for component in calendar.walk("VTIMEZONE"))
    defined = {zones[name] for name in names if name in zones}
    only: tzinfo = next(iter(defined)) if len(defined) == 1 else FLOATING

    def zone_of(name: str | None) -> tzinfo:
        return zones.get(plain(name), only) if name else FLOATING

    return zone_of


def _dates(calendar: Component) -> Iterator[date]:
    for component in calendar.subcomponents:
        if component.name == "VTIMEZONE":
            continue
        for name in ("DTSTART", "DTEND", "DUE", "RECURRENCE-ID"):
            if found := moment_of(component, name):
                yield found[0]
        for name in ("RDATE", "EXDATE"):
            for moment, _ in moments_of(component, name):
                yield moment[0] if isinstance(moment, tuple) else moment
        for rule in values_of(component, "RRULE"):
            yield from (until for until in rule.get("UNTIL", ()) if isinstance(until, date))


def expand(
    components: Sequence[Component],
    zone_of: ZoneOf,
    horizon: datetime | None = None,
    most: int = MAX_OCCURRENCES,
) -> Expansion:
    """Return the occurrences of the meeting that the components of one UID make, up to `horizon` and `most` of them.

    Raises MalformedCalendar for a component without a start, for one with a date or rule that could not be read, and
    for a rule that repeats within a day.
    """
    masters = [one for one in components if moment_of(one, "RECURRENCE-ID") is None]
    overrides = [one for one in components if moment_of(one, "RECURRENCE-ID")]
    regular: list[Instance] = []
    ruled: tuple[Moment, ...] = ()
    zone: tzinfo = UTC
    is_complete = True
    for master in masters[:1]:
        own = _Set(master, zone_of, horizon, most)
        regular = list(own.instances())
        zone, is_complete, ruled = own.zone, own.is_complete, own.ruled
    if not overrides:
        made = tuple(regular[:most])
        return Expansion(made, is_complete and len(regular) <= most, made, ruled)
    found = {instant(one.slot): one for one in regular}
    for override in sorted(overrides, key=lambda one: _order(one, zone_of)):
        own = _Set(override, zone_of, horizon, most)
        _override(found, _recurrence_id(override, zone_of), own, zone)
        is_complete = is_complete and own.is_complete
    ordered = sorted(found.values(), key=lambda one: (instant(one.occurrence.start), instant(one.slot)))
    return Expansion(tuple(ordered[:most]), is_complete and len(ordered) <= most, tuple(regular[:most]), ruled)


def first_occurrence(component: Component, zone_of: ZoneOf) -> Occurrence:
    """Return when a component is for the first time, or would be were not all of it left out. Raises as `expand`."""
    made = _Set(component, zone_of, None, 1)
    own = next(made.instances(), None)
    return own.occurrence if own else made.usual()


def own_occurrences(component: Component, zone_of: ZoneOf, most: int = MAX_OCCURRENCES) -> tuple[Occurrence, ...]:
    """Return the set that one component tells by itself, as if it had no RECURRENCE-ID. Raises as `expand`."""
    return tuple(one.occurrence for one in islice(_Set(component, zone_of, None, most).instances(), most))


def recurrence_id(component: Component, zone_of: ZoneOf) -> Moment | None:
    """Return the RECURRENCE-ID in UTC or as a date, None where there is none."""
    found = moment_of(component, "RECURRENCE-ID")
    return to_utc(found[0], zone_of(found[1])) if found else None


def is_this_and_future(component: Component) -> bool:
    """Whether an override holds for all instances that follow, too (RFC 5545 section 3.2.13)."""
    values = values_of(component, "RECURRENCE-ID")
    return bool(values) and str(values[0].params.get("RANGE", "")).upper() == "THISANDFUTURE"


def _order(override: Component, zone_of: ZoneOf) -> tuple[datetime, bool, int]:
    """Order overrides so that of two of one slot the one with the higher SEQUENCE comes last, and counts."""
    sequence = next((int(value) for value in values_of(override, "SEQUENCE")), 0)
    return _recurrence_id(override, zone_of), not is_this_and_future(override), sequence


def _recurrence_id(component: Component, zone_of: ZoneOf) -> datetime:
    slot = recurrence_id(component, zone_of)
    assert slot is not None  # of an override
    return instant(slot)


def _override(found: dict[datetime, Instance], slot: datetime, own: _Set, zone: tzinfo) -> None:
    """Put an override in the place of what it overrides."""
    told = list(own.instances())
    if not is_this_and_future(own.component):
        first = told[0]
        original = found[slot].slot if slot in found else _as_kind(slot, first.slot)
        found[slot] = Instance(original, first.occurrence, own.component)
        found |= {instant(one.slot): one for one in told[1:]}
        return
    tail = sorted(at for at in found if at >= slot)
    if len(told) > 1 or "RDATE" in own.component or not tail:
        slots = [found.pop(at).slot for at in tail]
        for number, one in enumerate(told):
            original = slots[number] if number < len(slots) else one.slot
            found[instant(original)] = Instance(original, one.occurrence, own.component)
        return
    first = told[0]
    for at in tail:
        shifted = _shifted(found[at].slot, _as_kind(slot, found[at].slot), first.occurrence, zone)
        found[at] = Instance(found[at].slot, shifted, own.component)


def _as_kind(slot: datetime, like: Moment) -> Moment:
    return slot if isinstance(like, datetime) else slot.date()


def _shifted(slot: Moment, from_slot: Moment, to: Occurrence, zone: tzinfo) -> Occurrence:
    """Move an instance as far, by the clock, as the overridden one was moved."""
    if isinstance(slot, datetime) != isinstance(to.start, datetime):
        raise MalformedCalendar("an override of another kind than its series")
    before, behind, own = (instant(to_local(one, zone)) for one in (from_slot, to.start, slot))
    start = after(own, behind - before)
    if not isinstance(slot, datetime):
        return Occurrence(start.date(), after(start, instant(to.end) - instant(to.start)).date())
    begin = to_utc(start.replace(tzinfo=None), zone)
    return Occurrence(begin, after(begin, instant(to.end) - instant(to.start)))


class _Set:
    """What one component tells: DTSTART, RRULE, RDATE, less EXDATE and EXRULE."""

    def __init__(self, component: Component, zone_of: ZoneOf, horizon: datetime | None, most: int) -> None:
        self.component, self.zone_of, self.most = component, zone_of, most
        unread = [name for name, _ in component.errors if name in _DECIDING]
        if unread:
            raise MalformedCalendar(f"a calendar entry whose {unread[0]} cannot be read")
        start = moment_of(component, "DTSTART")
        if start is None:
            raise MalformedCalendar("a calendar entry without a start")
        self.start, tzid = start
        self.zone = zone_of(tzid) if not isinstance(self.start, datetime) or not self.start.tzinfo else UTC
        self.first = to_utc(self.start, self.zone)
        self.length, self.is_exact = self._usual_length()
        self.horizon = horizon
        self.is_complete = True
        self.ruled: tuple[Moment, ...] = ()

    def instances(self) -> Iterator[Instance]:
        """Yield the instances in the order of their slots, at most one more than wanted."""
        starts: dict[datetime, Occurrence] = {}
        for moment in (self.first, *self._ruled("RRULE")):
            starts[instant(moment)] = self._lasting(moment)
        for one in self._told():
            starts[instant(one.start)] = one
        gone, days = self._excluded()
        kept = [starts[at] for at in sorted(starts) if at not in gone]
        if days:
            kept = [one for one in kept if day_of(one.start, self.zone) not in days]
        yield from (Instance(one.start, one, self.component) for one in kept)

    def usual(self) -> Occurrence:
        """Return what DTSTART stands for by itself."""
        return self._lasting(self.first)

    def _lasting(self, start: Moment) -> Occurrence:
        """Return the occurrence of usual length: as long as the first (3.8.5.3), or as DURATION says by the clock."""
        if not isinstance(start, datetime):
            return Occurrence(start, after(start, timedelta(days=max(1, self.length.days))))
        if self.is_exact:
            return Occurrence(start, after(start, self.length))
        return Occurrence(start, self._after(start, self.length))

    def _usual_length(self) -> tuple[timedelta, bool]:
        """Return how long an instance is, and whether by the clock that never changes."""
        end = moment_of(self.component, "DTEND") or moment_of(self.component, "DUE")
        if end:
            last = to_utc(end[0], self.zone_of(end[1]))
            return max(instant(last) - instant(self.first), timedelta()), True
        durations = values_of(self.component, "DURATION")
        said = durations[0].dt if durations else None
        return max(said if isinstance(said, timedelta) else timedelta(), timedelta()), False

    def _after(self, start: datetime, length: timedelta) -> datetime:
        """Add a duration: its days by the clock, the rest exactly (RFC 5545 section 3.3.6)."""
        days = timedelta(days=length.days)
        local = to_local(start, self.zone)
        assert isinstance(local, datetime)
        return instant(to_utc(after(local, days), self.zone)) + (length - days)

    def _told(self) -> Iterator[Occurrence]:
        """Yield what RDATE lists."""
        for value, tzid in islice(moments_of(self.component, "RDATE"), self.most + 1):
            zone = self.zone_of(tzid) if tzid else self.zone
            yield self._period(value, zone) if isinstance(value, tuple) else self._lasting(self._kin(value, zone))

    def _kin(self, value: Moment, zone: tzinfo) -> Moment:
        """Return a listed value as an instant where the series has instants, as a date where it has dates."""
        if isinstance(self.start, datetime) and not isinstance(value, datetime):
            local = to_local(instant(self.first), self.zone)
            assert isinstance(local, datetime)
            return to_utc(datetime.combine(value, local.time()), self.zone)
        if isinstance(value, datetime) and not isinstance(self.start, datetime):
            return day_of(to_utc(value, zone), zone)
        return to_utc(value, zone)

    def _period(self, value: Period, zone: tzinfo) -> Occurrence:
        start = to_utc(value[0], zone)
        assert isinstance(start, datetime)
        end = self._after(start, value[1]) if isinstance(value[1], timedelta) else instant(to_utc(value[1], zone))
        if isinstance(self.start, datetime):
            return Occurrence(start, max(start, end))
        first, last = day_of(start, zone), day_of(end, zone)
        return Occurrence(first, max(last, first + timedelta(days=1)))

    def _excluded(self) -> tuple[set[datetime], set[date]]:
        """Return what EXDATE and EXRULE take out: instants, and whole days where they only name the day."""
        gone: set[datetime] = {instant(moment) for moment in self._ruled("EXRULE")}
        days: set[date] = set()
        for value, tzid in islice(moments_of(self.component, "EXDATE"), self.most):
            moment = value[0] if isinstance(value, tuple) else value
            zone = self.zone_of(tzid) if tzid else self.zone
            if isinstance(moment, datetime) and isinstance(self.start, datetime):
                gone.add(instant(to_utc(moment, zone)))
            else:
                days.add(day_of(to_utc(moment, zone), zone))
        return gone, days

    def _ruled(self, name: str) -> Iterator[Moment]:
        for rule in values_of(self.component, name):
            reach = _FAR if "COUNT" in rule or "UNTIL" in rule else HORIZON
            horizon = self.horizon or after(instant(self.first), reach)
            most = self.most if reach is _FAR else min(self.most, _MAX_ENDLESS)
            slots = list(islice(rule_slots(rule, self.start, self.zone, horizon), most + 1))
            is_whole = is_followed_to_its_end(rule, len(slots), horizon, self.zone)
            if name == "RRULE" and (len(slots) > most or not (is_whole or not slots)):
                self.is_complete = False
            elif name == "RRULE" and isinstance(self.component.get(name), vRecur):
                self.ruled = tuple(slots)
            yield from slots[:most]
