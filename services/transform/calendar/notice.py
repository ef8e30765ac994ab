"""One message about one meeting, read: whose meeting it is, who sent it, and the statements that it makes. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from icalendar import Component

from services.transform.calendar.life import Meeting, Statement
from services.transform.calendar.memory import MeetingMemory, digest_of
from shared.calendar.ical import moment_of, values_of
from shared.calendar.moments import FLOATING, ONLY_ZONE, ZoneOf
from shared.calendar.recurrence import (
    Expansion,
    expand,
    first_occurrence,
    is_this_and_future,
    own_occurrences,
    recurrence_id,
)

_DIGEST = 8  # hex digits: they tell the few notices about one meeting apart
_REMOVED = frozenset(("Y", "Z"))  # X-LOTUS-NOTICETYPE: a room or a person is taken out; the meeting itself goes on
_CANCELLED = "C"


@dataclass(frozen=True, slots=True)
class Notice:
    """What a message says of one UID. expansion: of its components together, None for a cancellation.

    id: what tells it from other notices about the meeting, the same for each copy of it. people: digests of the
    attendees it names. zone: the one in which the meeting is. notice_type: X-LOTUS-NOTICETYPE.
    """

    components: tuple[Component, ...]
    zone_of: ZoneOf
    zone: tzinfo
    is_cancelled: bool
    statements: tuple[Statement, ...]
    expansion: Expansion | None
    id: str = ""
    people: tuple[str, ...] = ()
    notice_type: str = ""

    @property
    def is_whole(self) -> bool:
        """Whether it says something about all of the meeting, or all that follows an instance."""
        return any(statement.scope != "one" for statement in self.statements)

    @property
    def sequence(self) -> int:
        """The highest SEQUENCE in it."""
        return max(statement.sequence for statement in self.statements)

    @property
    def stamped_at(self) -> int:
        """The latest DTSTAMP in it."""
        return max(statement.stamped_at for statement in self.statements)

    def is_personal(self, known_people: Sequence[str]) -> bool:
        """Whether a cancellation is for some of those invited only, who are taken out of the meeting."""
        if not self.is_cancelled or self.notice_type in _REMOVED:
            return self.is_cancelled
        if self.notice_type == _CANCELLED or not self.people:
            return False
        return bool(set(known_people) - set(self.people))

    def template_of(self, meeting: Meeting) -> Iterator[tuple[object, Component]]:
        """Yield the names of instances that have a component of their own here, with the component."""
        for component in self.components:
            slot = recurrence_id(component, self.zone_of)
            if slot is not None and not is_this_and_future(component):
                held = meeting.find(slot, self.zone)
                yield (held.original if held else slot), component


@dataclass(frozen=True, slots=True)
class Decision:
    """What a notice means for a meeting.

    meeting: after it. memory: with it, where it changed something. is_in_force: whether it is not out of date; one that
    came before changes nothing then.
    is_personal: see `Notice.is_personal`; the meeting is then as it was.
    """

    meeting: Meeting
    memory: MeetingMemory
    is_in_force: bool
    is_personal: bool = False


def read_notice(
    components: Sequence[Component], zone_of: ZoneOf, *, is_cancelled: bool, people: Sequence[str] = (), kind: str = ""
) -> Notice:
    """Read a message about one UID. people: public addresses of the attendees. Raises MalformedCalendar."""
    zone = zone_of_meeting(components, zone_of)
    expansion = None if is_cancelled else expand(components, zone_of)
    statements = tuple(_statements(components, zone_of, expansion))
    id = digest_of(*map(_summary, statements), length=_DIGEST)
    digests = tuple(sorted({digest_of(person.casefold(), length=_DIGEST) for person in people}))
    return Notice(tuple(components), zone_of, zone, is_cancelled, statements, expansion, id, digests, kind)


def decide(memory: MeetingMemory, notice: Notice) -> Decision:
    """Say what a notice means, after what is remembered. Pure: the same notice twice means the same twice."""
    zone = notice.zone
    before = memory.life.meeting(zone)
    if notice.is_personal(memory.people):
        people = tuple(person for person in memory.people if person not in notice.people)
        known = MeetingMemory(memory.life, memory.sent, people or memory.people)
        return Decision(before, known, is_in_force=_is_current(memory, notice), is_personal=True)
    life = memory.life.with_(notice.statements, zone)
    after = life.meeting(zone)
    is_in_force = life.in_force(notice.statements, after)
    if not is_in_force and _said(after) == _said(before):
        # Where instances keep their names, what came late may yet say what another late notice means.
        known = MeetingMemory(life, memory.sent, memory.people) if life.keeps_names else memory
        return Decision(before, known, is_in_force=False)
    people = notice.people if is_in_force and _is_whole_request(notice) and notice.people else memory.people
    return Decision(after, MeetingMemory(life, memory.sent, people), is_in_force)


def zone_of_meeting(components: Sequence[Component], zone_of: ZoneOf) -> tzinfo:
    """Return the zone in which a meeting is: of its first local time, else the calendar's only one, else UTC."""
    for component in components:
        for name in ("DTSTART", "RECURRENCE-ID", "DTEND"):
            found = moment_of(component, name)
            if found and isinstance(found[0], datetime) and not found[0].tzinfo:
                return zone_of(found[1])
    only = zone_of(ONLY_ZONE)
    return UTC if only is FLOATING else only


def sequence_of(component: Component) -> int:
    """Return SEQUENCE, 0 where there is none."""
    return max((int(value) for value in values_of(component, "SEQUENCE")[:1]), default=0)


def _summary(statement: Statement) -> str:
    ends = (statement.occurrences[0], statement.occurrences[-1]) if statement.occurrences else ()
    return f"{statement.order} {statement.slot} {len(statement.occurrences)} {ends}"


def _said(meeting: Meeting) -> tuple[object, ...]:
    return tuple((held.original, held.occurrence, held.is_cancelled) for held in meeting.held)


def _is_whole_request(notice: Notice) -> bool:
    return not notice.is_cancelled and any(statement.scope == "all" for statement in notice.statements)


def _is_current(memory: MeetingMemory, notice: Notice) -> bool:
    """Whether a removal is later than the last statement about all of the meeting."""
    wholes = [statement for statement in memory.life.statements if statement.scope == "all"]
    return not wholes or (notice.sequence, notice.stamped_at) >= wholes[-1].order[:2]


def _statements(components: Sequence[Component], zone_of: ZoneOf, expansion: Expansion | None) -> Iterator[Statement]:
    """Yield what the components say. expansion: what they make together, None for a cancellation."""
    masters = [one for one in components if recurrence_id(one, zone_of) is None]
    least = sequence_of(masters[0]) if masters else 0
    for master in masters[:1]:
        if expansion is None:
            yield Statement(sequence_of(master), _stamp(master), "all", is_cancelled=True)
            continue
        made = expansion.regular
        slots, occurrences = tuple(one.slot for one in made), tuple(one.occurrence for one in made)
        yield Statement(sequence_of(master), _stamp(master), "all", slots=slots, occurrences=occurrences)
    for override in components:
        slot = recurrence_id(override, zone_of)
        if slot is None:
            continue
        is_rest = is_this_and_future(override)
        own = () if expansion is None else own_occurrences(override, zone_of) or (first_occurrence(override, zone_of),)
        yield Statement(
            max(sequence_of(override), least),
            max([_stamp(override), *(_stamp(master) for master in masters[:1])]),
            "rest" if is_rest else "one",
            is_cancelled=expansion is None,
            slot=slot,
            occurrences=own if is_rest else own[:1],
            is_shift=is_rest and len(own) == 1 and "RDATE" not in override,
        )


def _stamp(component: Component) -> int:
    found = moment_of(component, "DTSTAMP")
    moment = found[0] if found else None
    if not isinstance(moment, datetime):
        return 0
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
