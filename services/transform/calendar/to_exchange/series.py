"""A whole meeting of Notes said as Outlook can hold it. Pure.

Notes tells a series by a rule once, and after a change by lists of periods, under the same UID. Outlook knows rules,
EXDATEs and overrides only. So the occurrences that Notes means are said anew: the same UID, a higher SEQUENCE, an
update. Where nothing changed, they are said as before: whoever joins later has the same names for instances as the
others.

Where no rule holds them, single meetings stand for them under UIDs of their own (`explode`), and go on to do so as long
as the meeting lives; what a rule of a series already sent still holds, stays in it. Otherwise (`notice`, `pass`) the
recurrence stays as Notes wrote it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from itertools import islice

from icalendar.prop import vRecur

from services.transform.calendar.expression import MAX_SLOTS, Pattern, express, express_some, is_holdable
from services.transform.calendar.patterns import DAYS, is_readable
from services.transform.calendar.sent import SentMeeting
from services.transform.calendar.to_exchange.plan import (
    Entry,
    MeetingChange,
    SendPlan,
    Sheet,
    Wanted,
    after_sending,
    as_sent,
    single_sheet,
    withdrawn,
)
from shared.calendar.ical import moment_of, values_of
from shared.calendar.moments import Occurrence, day_of, instant, to_local, to_utc, to_written
from shared.calendar.recurrence import Expansion, Instance, first_occurrence, recurrence_id
from shared.calendar.rules import one_of, rule_slots
from shared.calendar.values import Moment

MAX_SINGLES = 400  # messages that one series may become
_FAR = datetime(9000, 1, 1, tzinfo=UTC)


def define(change: MeetingChange, wanted: Sequence[Wanted]) -> SendPlan:
    """Say a whole meeting, which has at least one instance: as before where it is as before, else anew."""
    sent, expansion = change.sent, _own_expansion(change, wanted)
    if sent and _is_as_sent(wanted, sent):
        return _as_before(change, wanted, sent)
    is_complete = change.notice.expansion is None or change.notice.expansion.is_complete
    if len(wanted) == 1 and is_complete and (sent is None or not (sent.rule or sent.is_exploded)):
        return _as_single(change, wanted[0])
    if sent is None or not sent.is_exploded:
        pattern = (_lawful(change, expansion) if expansion else None) or _expressed(wanted, change, is_complete)
        if pattern:
            return _as_series(change, wanted, pattern, ())
    if change.unsupported != "explode" or len(wanted) > MAX_SINGLES or not is_complete:
        return SendPlan(is_unsupported=True)
    if sent and sent.alive and not sent.is_exploded:
        return _partly(change, wanted)
    return _exploded(change, wanted)


def _own_expansion(change: MeetingChange, wanted: Sequence[Wanted]) -> Expansion | None:
    """Return what the notice itself says, where that is what is wanted."""
    expansion = change.notice.expansion
    if expansion is None or len(expansion.instances) != len(wanted):
        return None
    return expansion if expansion.occurrences == tuple(one.occurrence for one in wanted) else None


def _is_as_sent(wanted: Sequence[Wanted], sent: SentMeeting) -> bool:
    if sent.cancelled_by or not sent.alive or (sent.rule and sent.start is None):
        return False
    return {one.original: one.occurrence for one in sent.alive} == {one.original: one.occurrence for one in wanted}


def _as_before(change: MeetingChange, wanted: Sequence[Wanted], sent: SentMeeting) -> SendPlan:
    """Say all of a meeting as it was said: for somebody who joins, for another copy, for other words."""
    by_original = {one.original: one for one in sent.alive}
    apart = [one for one in wanted if by_original[one.original].is_apart]
    inside = [one for one in wanted if not by_original[one.original].is_apart]
    if not inside or not sent.rule:
        return _as_single(change, inside[0]) if inside else _exploded(change, wanted)
    assert sent.start is not None  # as `_is_as_sent` saw
    zone = change.zone
    slots = {one.original: to_local(by_original[one.original].slot, zone) for one in inside}
    start = to_local(sent.start, zone)
    made = islice(rule_slots(vRecur.from_ical(sent.rule), start, zone, _last_slot(sent)), MAX_SLOTS)
    kept = set(slots.values())
    excluded = tuple(local for slot in made if (local := to_local(slot, zone)) not in kept)
    placed = sorted(((slots[one.original], one.occurrence) for one in inside), key=lambda pair: instant(pair[0]))
    pattern = Pattern(sent.rule, start, sent.length, tuple(placed), excluded)
    return _as_series(change, inside, pattern, apart)


def _last_slot(sent: SentMeeting) -> datetime:
    """Return until when the rule that was sent is followed: to its end, or as far as its instances are known."""
    rule = vRecur.from_ical(sent.rule)
    if "COUNT" in rule or "UNTIL" in rule:
        return _FAR
    return max(instant(one.slot) for one in sent.instances if not one.is_apart)


def _expressed(wanted: Sequence[Wanted], change: MeetingChange, is_complete: bool) -> Pattern | None:
    return express([one.occurrence for one in wanted], change.zone) if is_complete else None


def _lawful(change: MeetingChange, expansion: Expansion) -> Pattern | None:
    """Return the pattern of a meeting whose own rule Outlook reads as it is, or None."""
    components, zone_of = change.notice.components, change.notice.zone_of
    master = next((one for one in components if not recurrence_id(one, zone_of)), None)
    rules = values_of(master, "RRULE") if master is not None else []
    start = moment_of(master, "DTSTART") if master is not None else None
    if master is None or start is None or len(rules) != 1 or "RDATE" in master or "EXRULE" in master:
        return None
    zone = change.zone if isinstance(start[0], datetime) else UTC
    local = to_local(to_utc(start[0], zone_of(start[1])), zone)
    if not is_readable(rules[0], local):
        return None
    horizon = _FAR if expansion.is_complete else max(instant(one.slot) for one in expansion.instances)
    is_own = local == start[0] and zone is zone_of(start[1])
    made = expansion.ruled if is_own else ()
    slots = made or tuple(islice(rule_slots(rules[0], local, zone, horizon), MAX_SLOTS))
    places = [one.slot for one in expansion.instances]
    occurrences = expansion.occurrences
    moved_to = {day_of(one.occurrence.start, zone) for one in expansion.instances if not _same_day(one, zone)}
    if (
        not slots
        or slots[0] != to_utc(local, zone)
        or not set(places) <= set(slots)
        or places != sorted(places, key=instant)
        or not is_holdable(occurrences, zone)
        or (moved_to and moved_to & {day_of(slot, zone) for slot in slots})
    ):
        return None
    first = next(
        (one.occurrences[0] for one in change.notice.statements if one.scope == "all" and one.occurrences), None
    )
    length = first or first_occurrence(master, zone_of)
    kept = set(places)
    return Pattern(
        rule_text(rules[0], local, zone),
        local,
        instant(length.end) - instant(length.start),
        tuple((to_local(slot, zone), one) for slot, one in zip(places, occurrences, strict=True)),
        tuple(to_local(slot, zone) for slot in slots if slot not in kept),
    )


def _same_day(one: Instance, zone: tzinfo) -> bool:
    return one.slot == one.occurrence.start or day_of(one.slot, zone) == day_of(one.occurrence.start, zone)


def rule_text(rule: vRecur, local: Moment, zone: tzinfo) -> str:
    """Return the value of a rule that Outlook reads, with all that DTSTART implies said.

    UNTIL is of the kind that DTSTART asks for (RFC 5545 section 3.3.10).
    """
    said = vRecur(rule)
    frequency = str(one_of(rule, "FREQ")).upper()
    if frequency == "WEEKLY" and "BYDAY" not in said:
        said["BYDAY"] = [DAYS[local.weekday()]]
    if frequency == "YEARLY" and not {"BYDAY", "BYMONTHDAY", "BYMONTH"} & set(said):
        said["BYMONTH"] = [local.month]
    if frequency in ("MONTHLY", "YEARLY") and not {"BYDAY", "BYMONTHDAY"} & set(said):
        said["BYMONTHDAY"] = [local.day]
    until = next(iter(said.get("UNTIL", ())), None)
    if isinstance(until, datetime) and not isinstance(local, datetime):
        said["UNTIL"] = [day_of(until, zone)]
    elif until is not None and isinstance(local, datetime):
        last = until if isinstance(until, datetime) else datetime(until.year, until.month, until.day, 23, 59, 59)
        said["UNTIL"] = [to_written(to_utc(last, zone), zone)]
    return str(said.to_ical(), "ascii", "replace")


def _as_single(change: MeetingChange, one: Wanted) -> SendPlan:
    """Send a meeting of one instance."""
    sent = after_sending(change, [as_sent(one)])
    sheet = Sheet("REQUEST", (Entry(one.template, one.occurrence),), change.zone, sent.sequence, sent.stamped_at)
    return SendPlan((sheet, *withdrawn(change, sent)), sent)


def _as_series(change: MeetingChange, wanted: Sequence[Wanted], pattern: Pattern, apart: Sequence[Wanted]) -> SendPlan:
    """Send the pattern with all its overrides in one calendar, and after it what stands apart."""
    zone, notice = change.zone, change.notice
    by_occurrence = {one.occurrence: one for one in wanted}
    first = to_utc(pattern.start, zone)
    masters = [one for one in notice.components if recurrence_id(one, notice.zone_of) is None]
    template = masters[0] if masters else wanted[0].template
    usual = Occurrence(first, first + pattern.length)
    last = to_utc(pattern.placed[-1][0], zone)
    master = Entry(template, usual, rule=pattern.rule, excluded=pattern.excluded, last=last)
    placed = [(to_utc(slot, zone), by_occurrence[one]) for slot, one in pattern.placed]
    overrides = [
        Entry(one.template, one.occurrence, slot=slot)
        for slot, one in placed
        if one.occurrence != Occurrence(slot, slot + pattern.length) or (masters and one.template is not template)
    ]
    instances = [as_sent(one, slot) for slot, one in placed]
    instances += [as_sent(one, _slot_of(change.sent, one), is_apart=True) for one in apart]
    sent = after_sending(change, instances, rule=pattern.rule, start=first, length=pattern.length)
    sheets = [Sheet("REQUEST", (master, *overrides), zone, sent.sequence, sent.stamped_at)]
    sheets += [single_sheet(one, zone, sent.sequence, sent.stamped_at) for one in apart]
    sheets += withdrawn(change, sent)
    return SendPlan(tuple(sheets), sent)


def _slot_of(sent: SentMeeting | None, one: Wanted) -> Moment | None:
    was = (was.slot for was in (sent.instances if sent else ()) if was.original == one.original)
    return next(was, None)


def _exploded(change: MeetingChange, wanted: Sequence[Wanted]) -> SendPlan:
    sent = after_sending(change, [as_sent(one, _slot_of(change.sent, one), is_apart=True) for one in wanted])
    sheets = [single_sheet(one, change.zone, sent.sequence, sent.stamped_at) for one in wanted]
    sheets += withdrawn(change, sent)
    return SendPlan(tuple(sheets), sent)


def _partly(change: MeetingChange, wanted: Sequence[Wanted]) -> SendPlan:
    """Keep the series for what a rule can hold, so that it is changed and not cancelled; the rest stands apart."""
    found = express_some([one.occurrence for one in wanted], change.zone)
    assert found  # there is at least one occurrence
    pattern, _ = found
    held = {one for _, one in pattern.placed}
    inside = [one for one in wanted if one.occurrence in held]
    return _as_series(change, inside, pattern, [one for one in wanted if one.occurrence not in held])
