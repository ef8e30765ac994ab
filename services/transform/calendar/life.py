"""The life of a meeting: what its organizer has said of it so far, and what follows from that. Pure.

A notice is one or more statements: about all of a meeting, about one instance, or about one and all that follow. A
meeting is the fold of its statements in the order in which they were made, whatever the order in which they came: by
SEQUENCE, then by DTSTAMP (RFC 5546 section 2.1.5; MS-OXOCAL, out-of-date meeting objects). A statement that later ones
cover is out of date; a cancelled instance stays known, so that a second cancellation means the same one.

An instance keeps its name. Where Notes organises, that is the time at which the instance first was, through every
reschedule; where Exchange organises, the slot of the rule that holds now.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, tzinfo
from typing import Literal

from shared.calendar.moments import Occurrence, day_of, instant, to_local, to_utc
from shared.calendar.values import Moment

Scope = Literal["all", "rest", "one"]

_ORDER: dict[Scope, int] = {"all": 0, "rest": 1, "one": 2}
_MAX_STATEMENTS = 24


@dataclass(frozen=True, slots=True)
class Statement:
    """What an organizer says about a meeting.

    sequence: SEQUENCE; stamped_at: DTSTAMP, in seconds since the epoch. slot: the instance named, for "one" and "rest".
    occurrences: when it is, none of a cancellation; slots: where the rule has each of them (of "all"). originals: the
    names of the instances where they are known already. is_shift: of "rest", that all are moved as far as the first.
    """

    sequence: int
    stamped_at: int
    scope: Scope
    is_cancelled: bool = False
    slot: Moment | None = None
    slots: tuple[Moment, ...] = ()
    occurrences: tuple[Occurrence, ...] = ()
    originals: tuple[Moment, ...] = ()
    is_shift: bool = False

    def __hash__(self) -> int:
        """Return a hash that takes the same time however many occurrences there are."""
        return hash((self.sequence, self.stamped_at, self.scope, self.slot, len(self.occurrences)))

    @property
    def order(self) -> tuple[int, int, bool, int]:
        """What statements are ordered by; of two that are equal in it, the one that came later counts."""
        return self.sequence, self.stamped_at, self.is_cancelled, _ORDER[self.scope]


@dataclass(frozen=True, slots=True)
class Held:
    """An instance as the statements leave it.

    original: its name. placed: where the last statement about all put it. source: number of the statement, in order,
    that last changed it. Times in UTC, or dates.
    """

    original: Moment
    placed: Moment
    occurrence: Occurrence
    sequence: int
    source: int
    is_cancelled: bool = False


@dataclass(frozen=True, slots=True)
class Meeting:
    """What follows from the statements.

    held: every instance known, cancelled ones too. whole: number of the last statement about all, None for none.
    """

    held: tuple[Held, ...] = ()
    whole: int | None = None
    keeps_names: bool = False

    @property
    def is_alive(self) -> bool:
        """Whether it takes place at all."""
        return any(not held.is_cancelled for held in self.held)

    @property
    def alive(self) -> tuple[Held, ...]:
        """The instances that take place, by their start."""
        alive = (held for held in self.held if not held.is_cancelled)
        return tuple(sorted(alive, key=lambda held: (instant(held.occurrence.start), instant(held.original))))

    def find(self, slot: Moment, zone: tzinfo) -> Held | None:
        """Return the instance that a RECURRENCE-ID names."""
        return _find(self.held, slot, zone, keeps_names=self.keeps_names)


@dataclass(frozen=True, slots=True)
class Life:
    """The statements about one meeting, in order. keeps_names: whether instances are named by where they first were."""

    statements: tuple[Statement, ...] = ()
    keeps_names: bool = False

    def with_(self, notice: Iterable[Statement], zone: tzinfo) -> Life:
        """Return the life with the statements of a notice, those that are new."""
        known = set(self.statements)
        fresh = [statement for statement in dict.fromkeys(notice) if statement not in known]
        if not fresh:
            return self
        merged = tuple(sorted((*self.statements, *fresh), key=lambda statement: statement.order))
        return replace(self, statements=merged)._shortened(zone)

    def meeting(self, zone: tzinfo) -> Meeting:
        """Return what follows from the statements. zone: of the meeting, for what is moved by the clock."""
        held: dict[Moment, Held] = {}
        whole: int | None = None
        for number, statement in enumerate(self.statements):
            if statement.scope == "all":
                whole = number
                held = _all(held, statement, number, zone, keeps_names=self.keeps_names)
            elif statement.scope == "one":
                _one(held, statement, number, zone, keeps_names=self.keeps_names)
            else:
                _rest(held, statement, number, zone, keeps_names=self.keeps_names)
        return Meeting(tuple(held.values()), whole, self.keeps_names)

    def in_force(self, notice: Iterable[Statement], meeting: Meeting) -> bool:
        """Whether anything of the meeting is as a notice says: whether the notice is not out of date.

        What is said of the rest of a meeting is in force until all of it is said anew: instances that it is about may
        not be known yet.
        """
        said = set(notice)
        sources = {held.source for held in meeting.held} | {meeting.whole}
        latest = -1 if meeting.whole is None else meeting.whole
        return any(
            statement in said and (number in sources or (statement.scope == "rest" and number > latest))
            for number, statement in enumerate(self.statements)
        )

    def _shortened(self, zone: tzinfo) -> Life:
        """Say with few statements what the older half says, once there are many."""
        if len(self.statements) <= _MAX_STATEMENTS:
            return self
        older, newer = self.statements[: _MAX_STATEMENTS // 2], self.statements[_MAX_STATEMENTS // 2 :]
        meeting, last = replace(self, statements=older).meeting(zone), older[-1]
        alive = meeting.alive
        base = Statement(
            last.sequence,
            last.stamped_at,
            "all",
            slots=tuple(held.placed for held in alive),
            occurrences=tuple(held.occurrence for held in alive),
            originals=tuple(held.original for held in alive),
        )
        gone = (
            Statement(last.sequence, last.stamped_at, "one", is_cancelled=True, slot=held.original)
            for held in meeting.held
            if held.is_cancelled
        )
        return replace(self, statements=(base, *gone, *newer))


def _all(
    held: dict[Moment, Held], statement: Statement, number: int, zone: tzinfo, *, keeps_names: bool
) -> dict[Moment, Held]:
    if statement.is_cancelled:
        return {name: _cancelled(one, statement, number) for name, one in held.items()}
    names: Sequence[Moment] = statement.originals or statement.slots
    if keeps_names and not statement.originals:
        names = _names(statement, [one for one in held.values() if not one.is_cancelled], zone)
    new = {
        name: Held(name, slot, occurrence, statement.sequence, number)
        for name, slot, occurrence in zip(names, statement.slots, statement.occurrences, strict=True)
    }
    if not keeps_names:
        return new
    gone = {name: _cancelled(one, statement, number) for name, one in held.items() if name not in new}
    return {**gone, **new}


def _names(statement: Statement, known: list[Held], zone: tzinfo) -> Sequence[Moment]:
    """Say of each instance which of the known ones it is: by order where there are as many, else by its day."""
    if not known:
        return statement.slots
    order = sorted(range(len(statement.slots)), key=lambda at: instant(statement.occurrences[at].start))
    known.sort(key=lambda one: instant(one.occurrence.start))
    names = list(statement.slots)
    if len(known) == len(names):
        for at, was in zip(order, known, strict=True):
            names[at] = was.original
        return names
    on_day: dict[date, list[Held]] = {}
    for was in reversed(known):
        on_day.setdefault(day_of(was.occurrence.start, zone), []).append(was)
    for at in order:
        if same_day := on_day.get(day_of(statement.occurrences[at].start, zone)):
            names[at] = same_day.pop().original
    return names if len(set(names)) == len(names) else statement.slots


def _one(held: dict[Moment, Held], statement: Statement, number: int, zone: tzinfo, *, keeps_names: bool) -> None:
    assert statement.slot is not None  # of every statement about one
    was = held.get(statement.slot) or _find(held.values(), statement.slot, zone, keeps_names=keeps_names)
    name = was.original if was else statement.slot
    if statement.is_cancelled:
        nowhere = Held(name, name, Occurrence(name, name), statement.sequence, number)
        held[name] = _cancelled(was or nowhere, statement, number)
        return
    held[name] = Held(name, was.placed if was else name, statement.occurrences[0], statement.sequence, number)


def _rest(held: dict[Moment, Held], statement: Statement, number: int, zone: tzinfo, *, keeps_names: bool) -> None:
    assert statement.slot is not None  # of every statement about the rest
    was = held.get(statement.slot) or _find(held.values(), statement.slot, zone, keeps_names=keeps_names)
    since = instant(was.original if was else statement.slot)
    tail = [one for one in held.values() if not one.is_cancelled and instant(one.original) >= since]
    tail.sort(key=lambda one: instant(one.occurrence.start))
    if statement.is_cancelled:
        held |= {one.original: _cancelled(one, statement, number) for one in tail}
        return
    occurrences = statement.occurrences
    if statement.is_shift and len(tail) > 1:
        occurrences = shifted([one.occurrence for one in tail], was.occurrence if was else None, occurrences[0], zone)
    for at, occurrence in enumerate(occurrences):
        name = tail[at].original if at < len(tail) else occurrence.start
        held[name] = Held(name, occurrence.start, occurrence, statement.sequence, number)
    held |= {one.original: _cancelled(one, statement, number) for one in tail[len(occurrences) :]}


def shifted(
    tail: Sequence[Occurrence], named: Occurrence | None, to: Occurrence, zone: tzinfo
) -> tuple[Occurrence, ...]:
    """Move a tail as far, by the clock, as one of it was moved (RFC 5545 section 3.2.13)."""
    first = named or tail[0]
    by = instant(to_local(to.start, zone)) - instant(to_local(first.start, zone))
    length = instant(to.end) - instant(to.start)
    starts = [to_utc(to_local(one.start, zone) + by, zone) for one in tail]
    return tuple(Occurrence(start, start + length) for start in starts)


def _cancelled(held: Held, statement: Statement, number: int) -> Held:
    if held.is_cancelled:
        return held
    return replace(held, sequence=statement.sequence, source=number, is_cancelled=True)


def _find(held: Iterable[Held], slot: Moment, zone: tzinfo, *, keeps_names: bool) -> Held | None:
    """Return what a RECURRENCE-ID names: by its name, by where it was put, by where it is, by its day.

    Where it is counts only where instances keep their names: elsewhere that is the name of another. The day counts
    where the RECURRENCE-ID is of another kind than the series: a date for a time, or a time for a date.
    """
    every = list(held)
    wanted = instant(slot)
    is_time = isinstance(slot, datetime)

    def matches() -> Iterator[Held]:
        yield from (one for one in every if isinstance(one.original, datetime) == is_time and one.original == slot)
        if keeps_names:
            yield from (one for one in every if not one.is_cancelled and instant(one.placed) == wanted)
            yield from (one for one in every if instant(one.original) == wanted)
            yield from (one for one in every if instant(one.placed) == wanted)
            yield from (one for one in every if not one.is_cancelled and instant(one.occurrence.start) == wanted)
        other_kind = [one for one in every if isinstance(one.placed, datetime) != is_time]
        if other_kind:
            day = day_of(slot, zone)
            yield from (one for one in other_kind if day_of(one.placed, zone) == day and not one.is_cancelled)
            yield from (one for one in other_kind if day_of(one.placed, zone) == day)

    return next(matches(), None)
