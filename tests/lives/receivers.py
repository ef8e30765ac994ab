"""The calendars at the other end: what an Outlook user and a Notes user have after the messages that reached them.

Written from the documents alone (MS-OXOCAL, RFC 5546, domain knowledge of Notes), and sharing no code with the gateway:
lines are read here, rules are followed by recurring-ical-events.

A message older than what a calendar has, by SEQUENCE and then by DTSTAMP, changes nothing. Clients differ in what they
compare with: the newest of the whole meeting, or the newest of the same instance. Both are tried.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any

import recurring_ical_events
from icalendar import Calendar

from tests.support.icalendar_reader import read_fresh

Stamp = tuple[int, str]
Span = tuple[str, str]
NEVER: Stamp = (-1, "")
_OLD, _RECENT = re.compile(r"DTSTART:(?:16|19)\d\d"), "DTSTART:2025"  # rules of zones, which take long from 1601 on


@dataclass
class Entry:
    """A meeting of one UID. wholes: the text that says all of it; instances: by name, None for a cancelled one."""

    whole: list[Span] | None = None
    names: dict[str, Span] = field(default_factory=dict)
    whole_stamp: Stamp = NEVER
    instances: dict[str, tuple[Stamp, Span | None]] = field(default_factory=dict)
    newest: Stamp = NEVER

    def spans(self) -> list[Span]:
        """Return when it is."""
        merged: dict[str, Span | None] = dict(self.names)
        merged |= {name: span for name, (_, span) in self.instances.items()}
        return [span for span in merged.values() if span]


@dataclass
class Mailbox:
    """A calendar. by_instance: whether a message is compared with what is known of the same instance only."""

    by_instance: bool
    entries: dict[tuple[str, str], Entry] = field(default_factory=dict)

    def receive(self, text: str) -> None:
        """Take a calendar object as it arrives."""
        method = _value(text, "METHOD")
        events = re.findall(r"BEGIN:VEVENT\r?\n(.*?)END:VEVENT", text, re.DOTALL)
        named = [event for event in events if re.search(r"^RECURRENCE-ID", event, re.MULTILINE)]
        whole = [event for event in events if event not in named]
        entry = self.entries.setdefault((_value(events[0], "UID"), _address(events[0])), Entry())
        stamp = max((int(_value(event, "SEQUENCE") or 0), _value(event, "DTSTAMP")) for event in events)
        if whole:
            self._take_whole(entry, text, method, stamp)
        else:
            for event in named:
                self._take_instance(entry, text, event, method, stamp)

    def spans(self, address: str) -> list[Span]:
        """Return when an organizer's meetings are."""
        return sorted(span for (_, who), entry in self.entries.items() if who == address for span in entry.spans())

    def _take_whole(self, entry: Entry, text: str, method: str, stamp: Stamp) -> None:
        if stamp < (entry.whole_stamp if self.by_instance else entry.newest):
            return
        entry.whole_stamp, entry.newest = stamp, max(stamp, entry.newest)
        entry.instances = {name: one for name, one in entry.instances.items() if one[0] > stamp and method != "CANCEL"}
        entry.names = {} if method == "CANCEL" else expanded(text)

    def _take_instance(self, entry: Entry, text: str, event: str, method: str, stamp: Stamp) -> None:
        name = shown(*_property(event, "RECURRENCE-ID"), text)
        known = entry.instances.get(name, (entry.whole_stamp, None))[0] if self.by_instance else entry.newest
        if stamp < known:
            return
        entry.newest = max(stamp, entry.newest)
        names = {name}
        if "RANGE=THISANDFUTURE" in event:
            names = {one for one in entry.names if one >= name}
        start, end = (shown(*_property(event, what), text) for what in ("DTSTART", "DTEND"))
        for one in names:
            entry.instances[one] = (stamp, None if method == "CANCEL" else (start, end))


def expanded(text: str, until: int = 2030, since: int = 2026) -> dict[str, Span]:
    """Return the instances of a calendar that says all of a meeting, by name: where its rule or list has them."""
    return dict(_expanded(_OLD.sub(_RECENT, text), until, since))


@lru_cache(maxsize=4096)
def _expanded(text: str, until: int, since: int) -> tuple[tuple[str, Span], ...]:
    calendar = read_fresh(text)
    slots = Calendar()
    slots.subcomponents = [one for one in calendar.subcomponents if "RECURRENCE-ID" not in one]
    overrides: list[Any] = [one for one in calendar.walk("VEVENT") if "RECURRENCE-ID" in one]
    found = recurring_ical_events.of(slots).between((since, 1, 1), (until, 1, 1))
    spans = {_iso(event["DTSTART"].dt): (_iso(event["DTSTART"].dt), _iso(_end(event))) for event in found}
    for event in overrides:
        spans[_iso(event["RECURRENCE-ID"].dt)] = (_iso(event["DTSTART"].dt), _iso(_end(event)))
    return tuple(spans.items())


def shown(parameters: str, value: str, text: str) -> str:
    """Return a time of a property as `Organizer.spans` shows it. text: the calendar, which says what its zones are."""
    zones = "".join(re.findall(r"BEGIN:VTIMEZONE.*?END:VTIMEZONE\r\n", text, re.DOTALL))
    return _shown(parameters, value, _OLD.sub(_RECENT, zones))


@lru_cache(maxsize=4096)
def _shown(parameters: str, value: str, zones: str) -> str:
    lines = ("BEGIN:VEVENT", "UID:x", f"DTSTART{parameters}:{value}", "END:VEVENT", "END:VCALENDAR", "")
    calendar = read_fresh("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n" + zones + "\r\n".join(lines))
    event: Any = calendar.walk("VEVENT")[0]
    return _iso(event["DTSTART"].dt)


def _end(event: Any) -> Any:
    if "DTEND" in event:
        return event["DTEND"].dt
    start = event["DTSTART"].dt
    return start if isinstance(start, datetime) else start + timedelta(days=1)


def _iso(moment: date) -> str:
    if not isinstance(moment, datetime):
        return moment.isoformat()
    return moment.astimezone(UTC).isoformat() if moment.tzinfo else f"{moment.isoformat()} local"


def _property(event: str, name: str) -> tuple[str, str]:
    found = re.search(rf"^{name}((?:;[^:\r\n\"]*(?:\"[^\"]*\")?)*):([^\r\n]*)", event, re.MULTILINE)
    assert found, f"{name} in {event}"
    return re.sub(r";RANGE=\w+", "", found[1]), found[2]


def _value(text: str, name: str) -> str:
    found = re.search(rf"^{name}[^:\r\n]*:([^\r\n]*)", text, re.MULTILINE)
    return found[1] if found else ""


def _address(event: str) -> str:
    return re.sub(r".*mailto:", "", re.search(r"^ORGANIZER[^\r\n]*", event, re.MULTILINE)[0], flags=re.IGNORECASE)  # type: ignore[index]
