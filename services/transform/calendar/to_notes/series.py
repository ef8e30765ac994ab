"""A meeting's components in a form that Notes takes: the same occurrences exactly, whatever it takes to say them. Pure.

A rule that Notes holds stays a rule. Everything else becomes what Notes itself writes after a reschedule: one component
with all its occurrences as a list of periods. Instances that were left out are not in the list, instances that were
moved are in it at their new time, and their RECURRENCE-ID for Notes is that time from then on. An instance that differs
in more than its time follows as a component of its own.

Each form is expanded again and taken only where it gives the same occurrences; the last resort is the rule with its
EXDATEs and overrides as it came, bounded.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import islice

from icalendar import Component
from icalendar.prop import vDDDLists, vRecur

from services.transform.calendar.life import Held
from services.transform.calendar.sent import SentInstance
from services.transform.calendar.to_notes.rule import held_rule, is_endless
from shared.calendar.ical import moment_of, put_moment, put_moments, text_of, values_of
from shared.calendar.moments import FLOATING, Occurrence, ZoneOf, after, instant, to_local, to_written
from shared.calendar.recurrence import Expansion, Instance, expand, recurrence_id
from shared.calendar.rules import rule_slots
from shared.calendar.values import Moment
from shared.errors import MalformedCalendar

_MOST_SLOTS = 20_000  # of a rule that is given an end: fifty years of every day
_RECURRENCE = ("RRULE", "RDATE", "EXDATE", "EXRULE")
_WORDS = ("SUMMARY", "LOCATION", "DESCRIPTION", "STATUS", "CLASS", "TRANSP", "PRIORITY")


@dataclass(frozen=True, slots=True)
class NotesForm:
    """What Notes is sent. components: the master first. instances: each by Exchange's name and by Notes'.

    ends: the last occurrence of a series that had no end and was given one.
    """

    components: tuple[Component, ...]
    instances: tuple[SentInstance, ...]
    ends: Moment | None = None

    @property
    def is_series(self) -> bool:
        """Whether the meeting recurs."""
        return any(name in self.components[0] for name in _RECURRENCE)


def notes_form(
    components: Sequence[Component], zone_of: ZoneOf, horizon: datetime, expansion: Expansion | None = None
) -> NotesForm:
    """Return the components of one UID, one of them without RECURRENCE-ID, as Notes takes them.

    horizon: until when a series without an end goes. expansion: of the components, where it is known. Nothing given is
    changed. Raises MalformedCalendar for a series that cannot be followed.
    """
    given = next(one for one in components if not moment_of(one, "RECURRENCE-ID"))
    overrides = [one for one in components if moment_of(one, "RECURRENCE-ID")]
    master = deepcopy(given)
    zone, tzid = _zone(master, zone_of)
    _put_end(master)
    ends = _bound(master, zone, horizon)
    is_as_given = ends is None and "DURATION" not in given
    meeting = expansion if expansion and is_as_given else expand([master, *overrides], zone_of)
    ruled = _ruled(master, overrides, zone)
    if ruled and not meeting.is_complete:
        return NotesForm(ruled, _sent(meeting.instances, by_slot=True), ends)
    if not any(name in master for name in _RECURRENCE) and not overrides:
        return NotesForm((master,), _sent(meeting.instances, by_slot=True), ends)
    if meeting.is_complete and meeting.instances:
        for form in _forms(ruled, master, meeting, tzid, zone):
            if _same(form, meeting, zone_of):
                return NotesForm(form, _sent(meeting.instances, by_slot=form[0].get("RRULE") is not None), ends)
    plain = (master, *(_named_in_utc(one, zone_of) for one in overrides))
    return NotesForm(plain, _sent(meeting.instances, by_slot=True), ends)


def instance_form(override: Component, slot: Moment, zone_of: ZoneOf) -> Component:
    """Return one instance as Notes tells of it: the slot in UTC, and its time as a list of one period."""
    occurrence = expand([override], zone_of).occurrences[0]
    zone, tzid = _zone(override, zone_of)
    new = deepcopy(override)
    _put_end(new)
    for name in _RECURRENCE:
        new.pop(name, None)
    if isinstance(occurrence.start, datetime):
        _put_list(new, [occurrence], tzid, zone)
    put_moment(new, "RECURRENCE-ID", to_written(slot, zone))
    return new


def listed_form(master: Component, held: Sequence[Held], zone: tzinfo) -> NotesForm:
    """Return a meeting as a list of its occurrences. master: at the first of them, whose words it has."""
    new = deepcopy(master)
    _put_list(new, [one.occurrence for one in held], None, FLOATING if zone is FLOATING else UTC)
    return NotesForm((new,), tuple(SentInstance(one.original, one.occurrence.start, one.occurrence) for one in held))


def future_form(component: Component, remaining: Sequence[SentInstance]) -> Component:
    """Return a component that names all the remaining instances of a series at once: its first one and all after it."""
    new = deepcopy(component)
    for name in _RECURRENCE:
        new.pop(name, None)
    occurrences = [one.occurrence for one in remaining]
    start = moment_of(component, "DTSTART")
    is_floating = start is not None and isinstance(start[0], datetime) and not (start[0].tzinfo or start[1])
    zone = FLOATING if is_floating else UTC
    _put_times(new, occurrences[0], None, zone)
    _put_list(new, occurrences, None, zone)
    put_moment(new, "RECURRENCE-ID", to_written(remaining[0].slot, zone))
    new["RECURRENCE-ID"].params["RANGE"] = "THISANDFUTURE"
    return new


def _zone(component: Component, zone_of: ZoneOf) -> tuple[tzinfo, str | None]:
    found = moment_of(component, "DTSTART")
    if found is None:
        raise MalformedCalendar("a calendar entry without a start")
    start, tzid = found
    return (UTC if isinstance(start, datetime) and start.tzinfo else zone_of(tzid)), tzid


def _put_end(component: Component) -> None:
    """Set DTEND where only DURATION is set."""
    start, lasting = moment_of(component, "DTSTART"), values_of(component, "DURATION")
    if start and lasting and not moment_of(component, "DTEND") and isinstance(lasting[0].dt, timedelta):
        put_moment(component, "DTEND", after(start[0], lasting[0].dt), start[1])
        component.pop("DURATION")


def _bound(master: Component, zone: tzinfo, horizon: datetime) -> Moment | None:
    """Give rules without an end one at the horizon, and return the last slot before it; None where all had an end."""
    start, rules, last = moment_of(master, "DTSTART"), values_of(master, "RRULE"), None
    assert start  # `_zone` found it
    for at, rule in enumerate(rules):
        if is_endless(rule):
            slots = list(islice(rule_slots(rule, start[0], zone, horizon), _MOST_SLOTS))
            last = slots[-1] if slots else start[0]
            rules[at] = _counted(rule, len(slots))
    if last:
        master["RRULE"] = rules if len(rules) > 1 else rules[0]
    return last


def _counted(rule: vRecur, count: int) -> vRecur:
    return vRecur({**rule, "COUNT": [max(count, 1)]})


def _ruled(master: Component, overrides: Sequence[Component], zone: tzinfo) -> tuple[Component, ...] | None:
    rules = values_of(master, "RRULE")
    start = moment_of(master, "DTSTART")
    if overrides or len(rules) != 1 or not start or any(name in master for name in _RECURRENCE[1:]):
        return None
    is_utc = isinstance(start[0], datetime) and start[0].tzinfo
    held = held_rule(rules[0], to_local(start[0], zone) if is_utc else start[0])
    if held is None:
        return None
    new = deepcopy(master)
    new["RRULE"] = held
    return (new,)


def _forms(
    ruled: tuple[Component, ...] | None, master: Component, meeting: Expansion, tzid: str | None, zone: tzinfo
) -> Iterator[tuple[Component, ...]]:
    """Yield the forms that a meeting may have in Notes, the best first."""
    if ruled:
        yield ruled
    yield _listed(master, meeting, tzid, zone)
    if zone is not FLOATING:
        yield _listed(master, meeting, None, UTC)


def _listed(master: Component, meeting: Expansion, tzid: str | None, zone: tzinfo) -> tuple[Component, ...]:
    """Return the meeting as a list of its occurrences, local to the zone where `tzid` names it."""
    occurrences = meeting.occurrences
    new = deepcopy(master)
    for name in _RECURRENCE:
        new.pop(name, None)
    _put_times(new, occurrences[0], tzid, zone)
    _put_list(new, occurrences, tzid, zone)
    changed = {id(one.component): one.component for one in meeting.instances if "RECURRENCE-ID" in one.component}
    differing = {name for name, override in changed.items() if _differs(override, master)}
    others = (one for one in meeting.instances if id(one.component) in differing)
    return (new, *(_instance(one, tzid, zone) for one in others))


def _instance(instance: Instance, tzid: str | None, zone: tzinfo) -> Component:
    new = deepcopy(instance.component)
    for name in (*_RECURRENCE, "DURATION"):
        new.pop(name, None)
    _put_times(new, instance.occurrence, tzid, zone)
    _put_list(new, [instance.occurrence], tzid, zone)
    put_moment(new, "RECURRENCE-ID", to_written(instance.occurrence.start, zone))
    return new


def _put_times(component: Component, occurrence: Occurrence, tzid: str | None, zone: tzinfo) -> None:
    component.pop("DURATION", None)
    for name, moment in (("DTSTART", occurrence.start), ("DTEND", occurrence.end)):
        is_local = (tzid or zone is FLOATING) and isinstance(moment, datetime)
        put_moment(component, name, _written(instant(moment), zone) if is_local else moment, tzid)


def _put_list(component: Component, occurrences: Sequence[Occurrence], tzid: str | None, zone: tzinfo) -> None:
    """Set RDATE to the periods; to the days where the meeting is of whole days, which periods cannot say."""
    if not isinstance(occurrences[0].start, datetime):
        put_moments(component, "RDATE", [one.start for one in occurrences])
        return
    instants = [(instant(one.start), instant(one.end)) for one in occurrences]
    local = [tuple(_written(moment, zone) for moment in period) for period in instants]
    component["RDATE"] = vDDDLists(local if tzid or zone is FLOATING else instants)
    component["RDATE"].params.update({"VALUE": "PERIOD", **({"TZID": tzid} if tzid else {})})


def _written(moment: datetime, zone: tzinfo) -> datetime:
    """Return a local time as text says it: which of two hours that follow each other in autumn, it cannot say."""
    return moment.astimezone(zone).replace(tzinfo=None, fold=0)


def _same(form: Sequence[Component], meeting: Expansion, zone_of: ZoneOf) -> bool:
    return set(expand(form, zone_of).occurrences) == set(meeting.occurrences)


def _sent(instances: Sequence[Instance], *, by_slot: bool) -> tuple[SentInstance, ...]:
    """Return instances as they are sent; by_slot: Notes names them as Exchange does, else by where they now are."""
    return tuple(
        SentInstance(one.slot, one.slot if by_slot else one.occurrence.start, one.occurrence) for one in instances
    )


def _named_in_utc(override: Component, zone_of: ZoneOf) -> Component:
    slot = recurrence_id(override, zone_of)
    assert slot is not None  # of an override
    new = deepcopy(override)
    parameters = {name: value for name, value in values_of(new, "RECURRENCE-ID")[0].params.items() if name == "RANGE"}
    put_moment(new, "RECURRENCE-ID", to_written(slot, _zone(override, zone_of)[0]))
    new["RECURRENCE-ID"].params.update(parameters)
    return new


def _differs(override: Component, master: Component) -> bool:
    """Whether an override says more than another time; what it does not mention is as in the series."""
    if any(name in override and text_of(override, name) != text_of(master, name) for name in _WORDS):
        return True
    return "ATTENDEE" in override and set(_people(override)) != set(_people(master))


def _people(component: Component) -> Iterator[str]:
    return (str(person).casefold() for person in values_of(component, "ATTENDEE"))
