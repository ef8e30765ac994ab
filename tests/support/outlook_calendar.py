"""An Outlook calendar, as far as meetings that come by mail go: it applies them, holds what it can, and counts dates.

It is strict: what MS-OXCICAL and MS-OXOCAL do not allow fails here. Dates are counted by `recurring_ical_events`, which
shares nothing with the gateway but the parser.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from email.message import Message
from itertools import pairwise
from typing import Any

import recurring_ical_events
from icalendar import Calendar
from icalendar.prop import vDDDLists

from tests.support.icalendar_reader import read_fresh

Event = Any  # the library types every property as any of thirty kinds
Span = tuple[str, str]
"""Start and end, in ISO form: instants in UTC, or dates."""

_RULES = (
    r"FREQ=DAILY(;INTERVAL=\d{1,3})?",
    r"FREQ=WEEKLY(;INTERVAL=\d\d?)?;BYDAY=(MO|TU|WE|TH|FR|SA|SU)(,(MO|TU|WE|TH|FR|SA|SU))*",
    r"FREQ=MONTHLY(;INTERVAL=\d\d?)?;BYMONTHDAY=(-1|\d\d?)",
    r"FREQ=MONTHLY(;INTERVAL=\d\d?)?;BYDAY=(-1|[1-4])(MO|TU|WE|TH|FR|SA|SU)",
    r"FREQ=MONTHLY(;INTERVAL=\d\d?)?;BYDAY=[A-Z,]+;BYSETPOS=(-1|[1-4])",
    r"FREQ=YEARLY(;INTERVAL=[1-8])?;BYMONTHDAY=(-1|\d\d?);BYMONTH=\d\d?",
    r"FREQ=YEARLY(;INTERVAL=[1-8])?;BYDAY=(-1|[1-4])(MO|TU|WE|TH|FR|SA|SU);BYMONTH=\d\d?",
)
_ORDER = ("FREQ", "INTERVAL", "BYDAY", "BYSETPOS", "BYMONTHDAY", "BYMONTH")


def spans(calendar: Calendar) -> list[Span]:
    """Return when the entries of a calendar are, in order."""
    found = recurring_ical_events.of(calendar).between((1990, 1, 1), (2300, 1, 1))
    return sorted((_iso(event["DTSTART"].dt), _iso(_end(event))) for event in found)


def _end(event: Any) -> Any:
    if "DTEND" in event:
        return event["DTEND"].dt
    start = event["DTSTART"].dt
    return start if isinstance(start, datetime) else start + timedelta(days=1)


def _iso(moment: Any) -> str:
    if isinstance(moment, datetime):
        return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if moment.tzinfo else f"{moment.isoformat()} local"
    return str(moment.isoformat())


def calendar_of(message: Message) -> Calendar:
    """Return the calendar of a message after checking that it is where Outlook looks for it, and strict."""
    parts = [part for part in message.walk() if part.get_content_type() == "text/calendar"]
    assert len(parts) == 1
    parents = [entity for entity in message.walk() if entity.is_multipart() and parts[0] in entity.get_payload()]
    assert parents[-1].get_content_type() == "multipart/alternative"
    payload = parts[0].get_payload(decode=True)
    assert isinstance(payload, bytes)
    calendar = strict(payload)
    assert parts[0].get_param("method") == calendar["METHOD"]
    return calendar


def strict(payload: bytes) -> Calendar:
    """Return a calendar that is lawful in every line."""
    payload = payload if payload.endswith(b"\r\n") else payload + b"\r\n"
    lines = payload.split(b"\r\n")
    assert b"\n" not in payload.replace(b"\r\n", b"")
    assert all(len(line) <= 75 for line in lines)
    calendar = read_fresh(payload)
    assert str(calendar["VERSION"]) == "2.0"
    assert "X-LOTUS" not in payload.decode().upper()
    events: list[Event] = list(calendar.events)
    assert len({str(event["UID"]) for event in events}) == 1
    used = {match.decode() for match in re.findall(rb"TZID=\"?([^:\";]+)", payload.replace(b"\r\n ", b""))}
    assert used == {str(zone["TZID"]) for zone in calendar.timezones}
    for event in events:
        assert not event.errors
        assert not {"RDATE", "EXRULE", "DURATION"} & set(event)
        assert event["DTSTAMP"].dt.tzinfo
        assert int(event["SEQUENCE"]) >= 0
        assert "RANGE" not in getattr(event.get("RECURRENCE-ID"), "params", {})
        assert "EXDATE" not in event or "RRULE" in event
        assert not ("RECURRENCE-ID" in event and "RRULE" in event)
        _assert_rule(event)
    _assert_holdable(calendar)
    return calendar


def _assert_rule(event: Event) -> None:
    rule: Any = event.get("RRULE")
    if rule is None:
        return
    assert not rule.params
    text = ";".join(f"{key}={','.join(map(str, rule[key]))}" for key in _ORDER if key in rule)
    assert any(re.fullmatch(known, text) for known in _RULES), text
    assert set(rule) <= {*_ORDER, "COUNT", "UNTIL", "WKST"}
    day = rule.get("BYMONTHDAY", [0])[0]
    assert day < 29 or "INTERVAL" in rule or "COUNT" in rule


def _assert_holdable(calendar: Calendar) -> None:
    """Overrides pair with slots of the rule, pass no neighbour, and no two instances meet or begin on one day."""
    events: list[Event] = list(calendar.events)
    masters = [event for event in events if "RECURRENCE-ID" not in event]
    if not masters or str(calendar["METHOD"]) == "CANCEL":
        return
    (master,) = masters
    bare = Calendar()
    bare.subcomponents = [master]
    slots = [start for start, _ in spans(bare)]
    overrides = {_iso(event["RECURRENCE-ID"].dt): event for event in events if "RECURRENCE-ID" in event}
    assert set(overrides) <= set(slots)
    assert len(overrides) == len(events) - 1
    held = [
        (_iso(event["DTSTART"].dt), _iso(event["DTEND"].dt)) if (event := overrides.get(slot)) else (slot, end)
        for slot, (_, end) in zip(slots, spans(bare), strict=True)
    ]
    assert held == sorted(held)
    assert all(before[1] <= after[0] for before, after in pairwise(held))
    days = [_day(master), *map(_day, overrides.values())]
    assert len(days) == 1 + len(overrides)
    assert len(set(days[1:])) == len(days[1:])


def _day(event: Event) -> date:
    start: date = event["DTSTART"].dt
    return start.date() if isinstance(start, datetime) else start


@dataclass
class OutlookCalendar:
    """The calendar of one mailbox: entries by UID. `cancellations` counts the cancelled meetings."""

    meetings: dict[str, list[Event]] = field(default_factory=dict)
    sequences: dict[str, int] = field(default_factory=dict)
    cancellations: int = 0

    def receive(self, message: Message) -> None:
        """Apply a request or a cancellation; one with an old SEQUENCE is passed over."""
        assert not [part for part in message.walk() if part.defects]
        calendar = calendar_of(message)
        method = str(calendar["METHOD"])
        events: list[Event] = list(calendar.events)
        uid = str(events[0]["UID"])
        sequence = max(int(event["SEQUENCE"]) for event in events)
        if sequence < self.sequences.get(uid, 0):
            return
        self.sequences[uid] = sequence
        known = self.meetings.get(uid, [])
        if method == "REQUEST":
            if any("RECURRENCE-ID" not in event for event in events):
                self.meetings[uid] = events
            else:
                self.meetings[uid] = [*_without(known, events), *events]
            return
        assert method == "CANCEL"
        assert known, f"{uid} was never received"
        if "RECURRENCE-ID" not in events[0]:
            del self.meetings[uid]
            self.cancellations += 1
            return
        kept = _without(known, events)
        for master in (one for one in kept if "RRULE" in one):
            gone = [event["RECURRENCE-ID"].dt.astimezone(UTC) for event in events]
            values = master.get("EXDATE")
            earlier = [dt.dt.astimezone(UTC) for dt in values.dts] if values else []
            master["EXDATE"] = vDDDLists([*earlier, *gone])
        self.meetings[uid] = kept

    def spans(self) -> list[Span]:
        """Return when its owner is expected somewhere."""
        return sorted(span for events in self.meetings.values() for span in spans(_calendar(events)))


def _calendar(events: list[Event]) -> Calendar:
    calendar = Calendar()
    calendar.subcomponents = list(events)
    return calendar


def _without(known: list[Event], events: list[Event]) -> list[Event]:
    gone = {_iso(event["RECURRENCE-ID"].dt) for event in events}
    return [one for one in known if "RECURRENCE-ID" not in one or _iso(one["RECURRENCE-ID"].dt) not in gone]
