"""A whole meeting of Notes said as Outlook can hold it. Pure.

Notes tells a series by a rule once, and after a change by lists of periods, under the same UID. Outlook knows rules,
EXDATEs and overrides only. So the occurrences that Notes means are said anew: the same UID, a higher SEQUENCE, an
update.

Where no rule holds them, single meetings stand for them under UIDs of their own (`explode`), and go on to do so as long
as the meeting lives; what a rule of a series already told still holds, stays in it. Otherwise (`notice`, `pass`) the
recurrence stays as Notes wrote it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from itertools import islice

from icalendar.prop import vRecur

from services.transform.calendar.expression import MAX_SLOTS, Pattern, express, express_some, is_holdable
from services.transform.calendar.patterns import DAYS, is_readable
from services.transform.calendar.series import Series, Told
from services.transform.calendar.to_exchange.plan import (
    Entry,
    Meeting,
    Plan,
    Sheet,
    Wanted,
    as_told,
    cancel_apart,
    next_sequence,
    remembered,
    single_sheet,
)
from shared.calendar.ical import moment_of, values_of
from shared.calendar.moments import Occurrence, day_of, instant, to_local, to_utc, to_written
from shared.calendar.recurrence import Expansion, Instance, own_occurrences, recurrence_id
from shared.calendar.rules import one_of, rule_slots
from shared.calendar.values import Moment

MAX_SINGLES = 400  # messages that one series may become


def define(meeting: Meeting, wanted: Sequence[Wanted], told: Series | None, expansion: Expansion | None) -> Plan:
    """Say a whole meeting anew."""
    wanted = sorted(wanted, key=lambda one: instant(one.occurrence.start))
    if not wanted:
        return Plan()
    if len(wanted) == 1 and told is None and (expansion is None or expansion.is_complete):
        sheet = Sheet("REQUEST", (Entry(wanted[0].template, wanted[0].occurrence),), meeting.zone, meeting.sequence)
        recurs = any(name in meeting.components[0] for name in ("RRULE", "RDATE", "RECURRENCE-ID"))
        return Plan((sheet,), remembered(meeting, "", [as_told(wanted[0])], meeting.sequence) if recurs else None)
    if told is None or not told.is_exploded:
        pattern = (_lawful(meeting, expansion) if expansion else None) or _expressed(wanted, meeting)
        if pattern:
            return _as_series(meeting, wanted, pattern, told, ())
    is_bounded = expansion is None or expansion.is_complete
    if meeting.unsupported != "explode" or len(wanted) > MAX_SINGLES or not is_bounded:
        return Plan(is_unsupported=True)
    if told and told.instances and not told.is_exploded:
        return _partly(meeting, wanted, told)
    return _exploded(meeting, wanted, told)


def _expressed(wanted: Sequence[Wanted], meeting: Meeting) -> Pattern | None:
    return express([one.occurrence for one in wanted], meeting.zone)


def _lawful(meeting: Meeting, expansion: Expansion) -> Pattern | None:
    """Return the pattern of a meeting whose own rule Outlook reads as it is, or None."""
    master = next((one for one in meeting.components if not recurrence_id(one, meeting.zone_of)), None)
    rules = values_of(master, "RRULE") if master is not None else []
    start = moment_of(master, "DTSTART") if master is not None else None
    if master is None or start is None or len(rules) != 1 or "RDATE" in master or "EXRULE" in master:
        return None
    zone = meeting.zone if isinstance(start[0], datetime) else UTC
    local = to_local(to_utc(start[0], meeting.zone_of(start[1])), zone)
    if not is_readable(rules[0], local):
        return None
    horizon = max(instant(one.slot) for one in expansion.instances)
    slots = list(islice(rule_slots(rules[0], local, zone, horizon), MAX_SLOTS))
    places = [one.slot for one in expansion.instances]
    occurrences = expansion.occurrences
    moved_to = {day_of(one.occurrence.start, zone) for one in expansion.instances if not _same_day(one, zone)}
    if (
        not slots
        or slots[0] != to_utc(local, zone)
        or not set(places) <= set(slots)
        or places != sorted(places, key=instant)
        or not is_holdable(occurrences, zone)
        or moved_to & {day_of(slot, zone) for slot in slots}
    ):
        return None
    length = own_occurrences(master, meeting.zone_of, 1)[0]
    kept = set(places)
    return Pattern(
        rule_text(rules[0], local, zone),
        local,
        instant(length.end) - instant(length.start),
        tuple((to_local(slot, zone), one) for slot, one in zip(places, occurrences, strict=True)),
        tuple(to_local(slot, zone) for slot in slots if slot not in kept),
    )


def _same_day(one: Instance, zone: tzinfo) -> bool:
    return day_of(one.slot, zone) == day_of(one.occurrence.start, zone)


def rule_text(rule: vRecur, local: Moment, zone: tzinfo) -> str:
    """Return the value of a rule that Outlook reads, with all that DTSTART implies said.

    UNTIL is of the kind that DTSTART asks for (RFC 5545 section 3.3.10).
    """
    told = vRecur(rule)
    frequency = str(one_of(rule, "FREQ")).upper()
    if frequency == "WEEKLY" and "BYDAY" not in told:
        told["BYDAY"] = [DAYS[local.weekday()]]
    if frequency in ("MONTHLY", "YEARLY") and not {"BYDAY", "BYMONTHDAY"} & set(told):
        told["BYMONTHDAY"] = [local.day]
    if frequency == "YEARLY" and "BYMONTH" not in told:
        told["BYMONTH"] = [local.month]
    until = next(iter(told.get("UNTIL", ())), None)
    if isinstance(until, datetime) and not isinstance(local, datetime):
        told["UNTIL"] = [day_of(until, zone)]
    elif until is not None and isinstance(local, datetime):
        last = until if isinstance(until, datetime) else datetime(until.year, until.month, until.day, 23, 59, 59)
        told["UNTIL"] = [to_written(to_utc(last, zone), zone)]
    return str(told.to_ical(), "ascii", "replace")


def _as_series(
    meeting: Meeting, wanted: Sequence[Wanted], pattern: Pattern, told: Series | None, apart: Sequence[Wanted]
) -> Plan:
    """Send the pattern with all its overrides in one calendar, and after it what stands apart."""
    zone = meeting.zone
    by_occurrence = {one.occurrence: one for one in wanted}
    first = to_utc(pattern.start, zone)
    masters = [one for one in meeting.components if recurrence_id(one, meeting.zone_of) is None]
    template = masters[0] if masters else wanted[0].template
    usual = Occurrence(first, first + pattern.length)
    last = to_utc(pattern.placed[-1][0], zone)
    master = Entry(template, usual, rule=pattern.rule, excluded=pattern.excluded, last=last)
    moved = dict(pattern.moved(zone))
    overrides = [
        Entry(by_occurrence[one].template, one, slot=to_utc(slot, zone))
        for slot, one in pattern.placed
        if slot in moved or (masters and by_occurrence[one].template is not template)
    ]
    instances = [Told(by_occurrence[one].original, to_utc(slot, zone), one) for slot, one in pattern.placed] + [
        replace(as_told(one), is_apart=True) for one in apart
    ]
    series = remembered(meeting, pattern.rule, instances, 0)
    sequence = next_sequence(meeting, series, told)
    sheets = [Sheet("REQUEST", (master, *overrides), zone, sequence)]
    sheets += [single_sheet(one, zone, sequence) for one in apart]
    sheets += _withdrawn(meeting, told, instances, sequence)
    return Plan(tuple(sheets), replace(series, sequence=sequence))


def _exploded(meeting: Meeting, wanted: Sequence[Wanted], told: Series | None) -> Plan:
    instances = [replace(as_told(one), is_apart=True) for one in wanted]
    series = remembered(meeting, "", instances, 0)
    sequence = next_sequence(meeting, series, told)
    sheets = [single_sheet(one, meeting.zone, sequence) for one in wanted]
    sheets += _withdrawn(meeting, told, instances, sequence)
    return Plan(tuple(sheets), replace(series, sequence=sequence))


def _partly(meeting: Meeting, wanted: Sequence[Wanted], told: Series) -> Plan:
    """Keep the series for what a rule can hold, so that it is changed and not cancelled; the rest stands apart."""
    found = express_some([one.occurrence for one in wanted], meeting.zone)
    assert found  # there is at least one occurrence
    pattern, _ = found
    held = {one for _, one in pattern.placed}
    inside = [one for one in wanted if one.occurrence in held]
    return _as_series(meeting, inside, pattern, told, [one for one in wanted if one.occurrence not in held])


def _withdrawn(meeting: Meeting, told: Series | None, instances: Sequence[Told], sequence: int) -> Iterator[Sheet]:
    """Yield the cancellations of single meetings that are no more."""
    kept = {one.original for one in instances if one.is_apart}
    gone = [one for one in told.instances if one.original not in kept] if told else []
    return cancel_apart(meeting.components[0], gone, meeting.zone, sequence)
