"""A set of occurrences said as Outlook can hold it: one rule, days left out, instances moved. Pure.

What Outlook asks (MS-OXCICAL section 2.1.3.1.1.20.18): every moved instance has a slot of its own in the rule, passes
no neighbour, overlaps none, and no two begin on one day. What is said here is checked to be exactly the set; where
nothing that a person would recognise says it, there is no pattern.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import islice, pairwise

from icalendar.prop import vRecur

from services.transform.calendar.patterns import DayPattern, candidates
from shared.calendar.moments import FLOATING, Occurrence, day_of, instant, to_local, to_utc, union
from shared.calendar.rules import rule_slots
from shared.calendar.values import Moment
from shared.errors import MalformedCalendar

MAX_SLOTS = 10_000
MAX_COUNT = 999  # of Outlook's "end after … occurrences"; a longer series ends by a date
_FAR = timedelta(days=400)


@dataclass(frozen=True, slots=True)
class Pattern:
    """A series as Outlook holds it.

    rule: the value of RRULE. start: the first slot, local or a date (DTSTART). length: of an instance that was not
    moved. placed: every occurrence with the slot it belongs to, in order. excluded: slots without one (EXDATE). Slots
    are local times, or dates.
    """

    rule: str
    start: Moment
    length: timedelta
    placed: tuple[tuple[Moment, Occurrence], ...]
    excluded: tuple[Moment, ...]

    def moved(self, zone: tzinfo) -> tuple[tuple[Moment, Occurrence], ...]:
        """Return what needs an override: the occurrences that are not where their slot is."""
        return tuple((slot, one) for slot, one in self.placed if one != usual(slot, self.length, zone))


def usual(slot: Moment, length: timedelta, zone: tzinfo) -> Occurrence:
    """Return the occurrence that a slot stands for by itself."""
    start = to_utc(slot, zone)
    return Occurrence(start, start + length)


def is_holdable(occurrences: Sequence[Occurrence], zone: tzinfo) -> bool:
    """Whether Outlook could hold the occurrences in one series: one kind, at most one a day, none overlapping."""
    ordered = union(occurrences)
    days = [day_of(one.start, zone) for one in ordered]
    kinds = {isinstance(one.start, datetime) for one in ordered}
    overlap = any(instant(before.end) > instant(behind.start) for before, behind in pairwise(ordered))
    return bool(ordered) and len(kinds) == 1 and len(set(days)) == len(days) and not overlap


def express(occurrences: Sequence[Occurrence], zone: tzinfo) -> Pattern | None:
    """Return the pattern that makes exactly these occurrences in the zone, or None.

    At least half of them must be where the rule has them, two thirds on its days; and it may not need more days left
    out than it has occurrences, an occurrence on another day counting as two.
    """
    ordered = union(occurrences)
    if not is_holdable(ordered, zone):
        return None
    days = [day_of(one.start, zone) for one in ordered]
    if len(ordered) == 1:
        return _said(DayPattern("DAILY", 1, days[0], 0), ordered, zone, days, days)
    found: list[tuple[tuple[int, int], int, Pattern]] = []
    for number, candidate in enumerate(candidates(days)):
        slots = _aligned(candidate, days)
        pattern = _said(candidate, ordered, zone, days, slots) if slots else None
        if pattern is None:
            continue
        moved = len(pattern.moved(zone))
        shifted = sum(slot != day for slot, day in zip(slots or (), days, strict=True))
        if max(2 * moved, 3 * shifted, len(pattern.excluded) + 2 * shifted) > len(ordered):
            continue
        cost = (len(pattern.excluded) + 2 * moved, candidate.rank)
        found.append((cost, number, pattern))
    found.sort(key=lambda one: one[:2])
    return next((pattern for _, _, pattern in found if _is_exact(pattern, ordered, zone)), None)


def express_some(occurrences: Sequence[Occurrence], zone: tzinfo) -> tuple[Pattern, tuple[Occurrence, ...]] | None:
    """Return a pattern for as many of the first occurrences as one holds, and the rest; None for no occurrence."""
    ordered = union(occurrences)
    held: list[Occurrence] = []
    for one in ordered:
        if is_holdable([*held[-1:], one], zone):
            held.append(one)
    count = len(held)
    while count:
        if pattern := express(held[:count], zone):
            taken = set(held[:count])
            return pattern, tuple(one for one in ordered if one not in taken)
        count //= 2
    return None


def _aligned(candidate: DayPattern, days: Sequence[date]) -> list[date] | None:
    """Return for each day the slot it belongs to: its own where there is one, else a free one between its neighbours'.

    None where there are not enough of them.
    """
    try:
        slots = list(islice(candidate.days(days[0] - _FAR, days[-1] + _FAR), MAX_SLOTS))
    except OverflowError:
        return None
    if not slots or len(slots) == MAX_SLOTS:
        return None
    taken, wanted = set(slots), set(days)
    found: list[date] = []
    run: list[date] = []
    free = (slot for slot in slots if slot not in wanted)
    ahead = next(free, None)
    for day in (*days, None):
        if day is not None and day not in taken:
            run.append(day)
            continue
        between: list[date] = []
        while ahead is not None and (day is None or ahead < day):
            between.append(ahead)
            ahead = next(free, None)
        chosen = _nearest(run, between)
        if chosen is None:
            return None
        found += chosen
        run = []
        if day is not None:
            found.append(day)
    return found


def _nearest(days: Sequence[date], slots: Sequence[date]) -> list[date] | None:
    """Return a slot for each day, in order and near; None where they are too few."""
    chosen: list[date] = []
    at = 0
    for number, day in enumerate(days):
        last = len(slots) - (len(days) - number)
        if last < at:
            return None
        best = min(range(at, last + 1), key=lambda index: abs(slots[index] - day))
        chosen.append(slots[best])
        at = best + 1
    return chosen


def _said(
    candidate: DayPattern, ordered: Sequence[Occurrence], zone: tzinfo, days: Sequence[date], slots: Sequence[date]
) -> Pattern | None:
    """Return the pattern of the candidate whose usual time and length are the most frequent ones."""
    kinds = Counter(
        (_time(one.start, zone), instant(one.end) - instant(one.start))
        for one, day, slot in zip(ordered, days, slots, strict=True)
        if day == slot
    )
    if not kinds:
        return None
    (clock, length), _ = kinds.most_common(1)[0]
    if not candidate.is_sure(slots[0], slots[-1]):
        return None
    every = list(candidate.days(slots[0], slots[-1]))
    placed = tuple((_at(slot, clock), one) for slot, one in zip(slots, ordered, strict=True))
    kept = set(slots)
    excluded = tuple(_at(slot, clock) for slot in every if slot not in kept)
    end = f"COUNT={len(every)}" if len(every) <= MAX_COUNT else f"UNTIL={_written_end(_at(every[-1], clock), zone)}"
    return Pattern(f"{candidate.rule()};{end}", _at(every[0], clock), length, placed, excluded)


def _written_end(last: Moment, zone: tzinfo) -> str:
    """Return UNTIL of the kind that DTSTART has (RFC 5545 section 3.3.10)."""
    if not isinstance(last, datetime):
        return last.strftime("%Y%m%d")
    return to_utc(last, zone).strftime("%Y%m%dT%H%M%S" if zone is FLOATING else "%Y%m%dT%H%M%SZ")


def _time(moment: Moment, zone: tzinfo) -> time | None:
    local = to_local(moment, zone)
    return local.time() if isinstance(local, datetime) else None


def _at(day: date, clock: time | None) -> Moment:
    return day if clock is None else datetime.combine(day, clock)


def _is_exact(pattern: Pattern, ordered: Sequence[Occurrence], zone: tzinfo) -> bool:
    """Whether the rule, followed by another's code, makes the slots that the pattern claims, and they the set."""
    horizon = datetime(9000, 1, 1, tzinfo=UTC)
    try:
        made = list(islice(rule_slots(vRecur.from_ical(pattern.rule), pattern.start, zone, horizon), MAX_SLOTS))
    except MalformedCalendar:
        return False
    claimed = [to_utc(slot, zone) for slot, _ in pattern.placed] + [to_utc(slot, zone) for slot in pattern.excluded]
    return made == sorted(claimed, key=instant) and [one for _, one in pattern.placed] == list(ordered)
