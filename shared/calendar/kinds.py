"""Entries of a calendar brought to one kind of time: whole days as dates, and RECURRENCE-IDs of their series' kind.

Quirks: Exchange and Outlook write whole days as local midnights with X-MICROSOFT-CDO-ALLDAYEVENT (MS-OXCICAL section
2.1.3.1.1.20.28), and name an instance of such a series by its midnight in some zone, or in UTC. Notes marks a whole day
by X-LOTUS-APPTTYPE:2 and may write its working hours. Some clients name an instance of a series of hours by its day.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta

from icalendar import Component
from icalendar.prop import vRecur

from shared.calendar.ical import moment_of, put_moment, text_of, values_of
from shared.calendar.moments import FLOATING, ONLY_ZONE, ZoneOf, day_of, to_local, to_utc
from shared.calendar.values import Moment

_DAY = timedelta(days=1)
_NOON = time(12)
_ALL_DAY_OF_NOTES = "2"  # X-LOTUS-APPTTYPE


def settle_kinds(components: Iterable[Component], zone_of: ZoneOf) -> None:
    """Make whole days dates, and each RECURRENCE-ID of the kind that its series has, in place.

    Raises MalformedCalendar for a time at the ends of the calendar.
    """
    entries = list(components)
    for entry in entries:
        _make_day(entry, zone_of)
    by_uid: dict[str, list[Component]] = {}
    for entry in entries:
        by_uid.setdefault(text_of(entry, "UID"), []).append(entry)
    for group in by_uid.values():
        _align_recurrence_ids(group, zone_of)


def day_named(moment: Moment, tzid: str | None, zone_of: ZoneOf) -> date:
    """Return the whole day that a date-time names: its local day; for an instant that of the nearest midnight."""
    if not isinstance(moment, datetime):
        return moment
    if moment.tzinfo is None or tzid:
        return moment.date()
    zone = zone_of(ONLY_ZONE)
    local = to_local(moment, zone)
    assert isinstance(local, datetime)
    return local.date() + (_DAY if local.time() >= _NOON else timedelta())


def _make_day(entry: Component, zone_of: ZoneOf) -> None:
    start, end = moment_of(entry, "DTSTART"), moment_of(entry, "DTEND")
    if start is None or not isinstance(start[0], datetime):
        if start is not None:
            _end_on_day(entry, zone_of)
        return
    first = _local(start, zone_of)
    last = _local(end, zone_of) if end else first
    is_marked = text_of(entry, "X-MICROSOFT-CDO-ALLDAYEVENT").strip().upper() == "TRUE"
    is_of_notes = text_of(entry, "X-LOTUS-APPTTYPE").strip() == _ALL_DAY_OF_NOTES
    are_midnights = first.time() == last.time() == time()
    is_floating = start[0].tzinfo is None and zone_of(start[1]) is FLOATING and last > first
    if not (is_of_notes or (are_midnights and (is_marked or is_floating))):
        return
    ends = last.date() if last.time() == time() else last.date() + _DAY
    _end_on_day(entry, zone_of)
    put_moment(entry, "DTSTART", first.date())
    put_moment(entry, "DTEND", max(ends, first.date() + _DAY))
    entry.pop("DURATION", None)


def _local(found: tuple[Moment, str | None], zone_of: ZoneOf) -> datetime:
    """Return a date-time as the clock shows it where the meeting is."""
    moment, tzid = found
    if not isinstance(moment, datetime):
        return datetime(moment.year, moment.month, moment.day)
    if moment.tzinfo is None:
        return moment
    local = to_local(moment, zone_of(ONLY_ZONE))
    assert isinstance(local, datetime)
    return local if tzid is None and local.time() == time() else moment.replace(tzinfo=None)


def _end_on_day(entry: Component, zone_of: ZoneOf) -> None:
    """Bound the rules of a series of days by a day (RFC 5545 section 3.3.10 wants UNTIL of the kind of DTSTART)."""
    found = moment_of(entry, "DTSTART")
    zone = zone_of(found[1] if found else None)
    rules = values_of(entry, "RRULE")
    for at, rule in enumerate(rules):
        until = next(iter(rule.get("UNTIL", ())), None)
        if isinstance(until, datetime):
            rules[at] = vRecur({**rule, "UNTIL": [day_of(to_utc(until, UTC), zone)]})
            entry["RRULE"] = rules if len(rules) > 1 else rules[0]


def _align_recurrence_ids(group: Sequence[Component], zone_of: ZoneOf) -> None:
    master = next((entry for entry in group if moment_of(entry, "RECURRENCE-ID") is None), None)
    for entry in group:
        named, like = moment_of(entry, "RECURRENCE-ID"), moment_of(master or entry, "DTSTART")
        if not named or not like or isinstance(named[0], datetime) == isinstance(like[0], datetime):
            continue
        parameters = dict(values_of(entry, "RECURRENCE-ID")[0].params)
        if not isinstance(like[0], datetime):
            put_moment(entry, "RECURRENCE-ID", day_named(*named, zone_of))
        elif master is not None:
            put_moment(entry, "RECURRENCE-ID", datetime.combine(named[0], like[0].timetz()), like[1])
        if "RANGE" in parameters:
            entry["RECURRENCE-ID"].params["RANGE"] = parameters["RANGE"]
