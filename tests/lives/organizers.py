"""Meetings as their organizers keep and send them: a Notes user's, and an Exchange user's, each in its wire shape.

An organizer is the truth: `dates` says when the meeting is. Nothing here knows how the gateway reads or writes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

Span = tuple[datetime, datetime]
"""Start and end: local to the meeting's zone, naive; midnights of a meeting of whole days."""

ZONES = {
    "eastern": ("America/New_York", "Eastern", "Eastern Standard Time", "-0500", "-0400", "2SU", "3", "1SU", "11"),
    "berlin": ("Europe/Berlin", "W. Europe", "W. Europe Standard Time", "+0100", "+0200", "-1SU", "3", "-1SU", "10"),
}
MESSAGE = """\
From: {sender}
To: {to}
Subject: Meeting
Date: Tue, 01 Dec 2026 09:00:00 +0000
Message-ID: <{id}>
MIME-Version: 1.0
Content-Type: multipart/alternative; boundary="=_a"

--=_a
Content-Type: text/plain; charset="US-ASCII"

Please come.
--=_a
Content-Type: text/calendar; charset="UTF-8"; method={method}
Content-Transfer-Encoding: 8bit

{calendar}
--=_a--
"""


@dataclass
class Organizer:
    """What both kinds have. kind: of time: a zone of ZONES, "utc", "floating", "days". number: unique among lives."""

    kind: str
    starts: list[datetime]
    length: timedelta
    rule: str
    number: int = 1
    address: str = "ann@notes.example.com"
    guest: str = "bob@exchange.example.com"
    sequence: int = 0
    sent: int = 0
    dates: dict[datetime, Span] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Hold the meeting where its rule has it."""
        self.dates = {start: (start, start + self.length) for start in self.starts}

    def spans(self) -> list[tuple[str, str]]:
        """Return when the meeting is, in UTC, as local times where they float, as days."""
        return sorted((self._shown(start), self._shown(end)) for start, end in self.dates.values())

    def is_free(self, moving: dict[datetime, Span]) -> bool:
        """Whether no two instances begin together, or on one day, once some are moved."""
        starts = [start for name, (start, _) in {**self.dates, **moving}.items() if name in self.dates]
        return len({start.date() for start in starts}) == len(starts)

    def _shown(self, moment: datetime) -> str:
        if self.kind == "days":
            return moment.date().isoformat()
        if self.kind == "floating":
            return f"{moment.isoformat()} local"
        return self._utc(moment).isoformat()

    def _utc(self, moment: datetime) -> datetime:
        zone = ZoneInfo(ZONES[self.kind][0]) if self.kind in ZONES else UTC
        return moment.replace(tzinfo=zone).astimezone(UTC)

    def _instant(self, name: str, moment: datetime, parameters: str = "") -> str:
        """Write an instant in UTC; a day as one, a floating time without a zone."""
        if self.kind == "days":
            return f"{name}{parameters};VALUE=DATE:{moment:%Y%m%d}"
        mark = "" if self.kind == "floating" else "Z"
        return f"{name}{parameters}:{self._utc(moment):%Y%m%dT%H%M%S}{mark}"

    def _message(self, method: str, lines: list[str], to: str = "") -> bytes:
        text = MESSAGE.format(
            sender=self.address,
            to=to or self.guest,
            id=f"OF{self.number:08X}.{self.sent:08X}-ON00000000.00000000-00000000.00000000@{self.address.split('@')[1]}",
            method=method,
            calendar="\n".join(lines),
        )
        return text.replace("\n", "\r\n").encode()

    def _stamp(self) -> str:
        self.sent += 1
        return f"DTSTAMP:{datetime(2026, 12, 1, tzinfo=UTC) + timedelta(minutes=self.sent):%Y%m%dT%H%M%SZ}"


def timezone(name: str, kind: str, *, is_of_notes: bool) -> list[str]:
    """Return the VTIMEZONE lines of a zone under a name."""
    _, _, _, standard, daylight, spring, march, autumn, november = ZONES[kind]
    hours = "2" if kind == "eastern" else "3"
    year, twice = ("1950", f";BYMINUTE=0;BYHOUR={hours}") if is_of_notes else ("1601", "")
    spring_hour = "2"
    day_of_autumn, day_of_spring = ("05", "12") if kind == "eastern" else ("29", "26")
    return [
        "BEGIN:VTIMEZONE",
        f"TZID:{name}",
        "BEGIN:STANDARD",
        f"DTSTART:{year}{november:0>2}{day_of_autumn}T0{hours}0000",
        f"TZOFFSETFROM:{daylight}",
        f"TZOFFSETTO:{standard}",
        f"RRULE:FREQ=YEARLY;BYDAY={autumn};BYMONTH={november}{twice}",
        "END:STANDARD",
        "BEGIN:DAYLIGHT",
        f"DTSTART:{year}{march:0>2}{day_of_spring}T0{spring_hour}0000",
        f"TZOFFSETFROM:{standard}",
        f"TZOFFSETTO:{daylight}",
        f"RRULE:FREQ=YEARLY;BYDAY={spring};BYMONTH={march}{twice.replace(hours, spring_hour)}",
        "END:DAYLIGHT",
        "END:VTIMEZONE",
    ]


@dataclass
class NotesOrganizer(Organizer):
    """A rule once, then lists of periods; every instance is named by where it first was."""

    def invite(self) -> bytes:
        """Invite to all of it."""
        return self._send("REQUEST", "I", min(self.dates.values()), [f"RRULE{self._zone_parameter()}:{self.rule}"])

    def update(self) -> bytes:
        """Send all of it once more."""
        return self._send("REQUEST", "E", min(self.dates.values()), [self._list(self.dates.values())])

    def join(self) -> bytes:
        """Invite one more person."""
        return self._send(
            "REQUEST", "I", min(self.dates.values()), [self._list(self.dates.values())], to="dave@exchange.example.com"
        )

    def reschedule(self, by: timedelta) -> bytes:
        """Move every instance by the clock."""
        self.dates = {name: (start + by, end + by) for name, (start, end) in self.dates.items()}
        self.sequence += 1
        return self._send("REQUEST", "U", min(self.dates.values()), [self._list(self.dates.values())])

    def move(self, name: datetime, by: timedelta) -> bytes:
        """Move one instance."""
        start, end = self.dates[name]
        self.dates[name] = (start + by, end + by)
        self.sequence += 1
        more = [self._instant("RECURRENCE-ID", name)]
        more += [] if self.kind == "days" else [self._list([self.dates[name]])]
        return self._send("REQUEST", "U", self.dates[name], more)

    def move_rest(self, name: datetime, by: timedelta) -> bytes:
        """Move one instance and all that follow."""
        tail = [one for one in self.dates if one >= name]
        self.dates |= {one: (self.dates[one][0] + by, self.dates[one][1] + by) for one in tail}
        self.sequence += 1
        spans = sorted(self.dates[one] for one in tail)
        more = [self._instant("RECURRENCE-ID", name, ";RANGE=THISANDFUTURE"), self._list(spans)]
        return self._send("REQUEST", "U", spans[0], more)

    def cancel(self, name: datetime) -> bytes:
        """Cancel one instance."""
        self.sequence += self.number % 2
        span = self.dates.pop(name)
        return self._send("CANCEL", "C", span, [self._instant("RECURRENCE-ID", name)])

    def cancel_rest(self, name: datetime) -> bytes:
        """Cancel one instance and all that follow."""
        self.sequence += self.number % 2
        spans = sorted(self.dates.pop(one) for one in sorted(self.dates) if one >= name)
        more = [self._instant("RECURRENCE-ID", name, ";RANGE=THISANDFUTURE"), self._list(spans)]
        return self._send("CANCEL", "C", spans[0], more)

    def cancel_all(self) -> bytes:
        """Cancel all that is left."""
        self.sequence += self.number % 2
        spans, self.dates = sorted(self.dates.values()), {}
        return self._send("CANCEL", "C", spans[0], [self._list(spans), "X-LOTUS-RECURID;RANGE=ALL:19700101T000000Z"])

    def _zone_parameter(self) -> str:
        return f';TZID="{ZONES[self.kind][1]}"' if self.kind in ZONES else ""

    def _time(self, name: str, moment: datetime) -> str:
        if self.kind == "days":
            return f"{name};VALUE=DATE:{moment:%Y%m%d}"
        return f"{name}{self._zone_parameter()}:{moment:%Y%m%dT%H%M%S}{'Z' if self.kind == 'utc' else ''}"

    def _list(self, spans: object) -> str:
        ordered = sorted(spans)  # type: ignore[call-overload]
        if self.kind == "days":
            return "RDATE;VALUE=DATE:" + ",".join(f"{start:%Y%m%d}" for start, _ in ordered)
        mark = "Z" if self.kind == "utc" else ""
        periods = (f"{start:%Y%m%dT%H%M%S}{mark}/{end:%Y%m%dT%H%M%S}{mark}" for start, end in ordered)
        return f"RDATE{self._zone_parameter()};VALUE=PERIOD:" + ",".join(periods)

    def _send(self, method: str, notice_type: str, span: Span, more: list[str], to: str = "") -> bytes:
        zone = timezone(ZONES[self.kind][1], self.kind, is_of_notes=True) if self.kind in ZONES else []
        lines = [
            "BEGIN:VCALENDAR",
            "VERSION:2.0",
            "PRODID:-//Lotus Development Corporation//NONSGML Notes 9.0.1//EN_S",
            f"METHOD:{method}",
            *zone,
            "BEGIN:VEVENT",
            self._time("DTSTART", span[0]),
            self._time("DTEND", span[1]),
            *more,
            self._stamp(),
            f"SEQUENCE:{self.sequence}",
            f"ATTENDEE;ROLE=REQ-PARTICIPANT;RSVP=TRUE:mailto:{self.guest}",
            "SUMMARY:Plans",
            f'ORGANIZER;CN="Ann/Acme":mailto:{self.address}',
            f"UID:{self.number:032X}-Lotus_Notes_Generated",
            f"X-LOTUS-NOTICETYPE:{notice_type}",
            "END:VEVENT",
            "END:VCALENDAR",
        ]
        return self._message(method, lines, to)


@dataclass
class ExchangeOrganizer(Organizer):
    """A rule with EXDATEs and overrides; an instance is named by its slot in the rule as it is now."""

    address: str = "ann@exchange.example.com"
    guest: str = "bob@notes.example.com"
    shift: timedelta = timedelta()

    def invite(self) -> bytes:
        """Send all of it."""
        return self._send("REQUEST", [self._master(), *self._overrides()])

    update = invite

    def reschedule(self, by: timedelta) -> bytes:
        """Move the series by the clock; what was moved by itself goes back into it."""
        self.shift += by
        self.dates = {name: (name + self.shift, name + self.shift + self.length) for name in self.dates}
        self.sequence += 1
        return self._send("REQUEST", [self._master()])

    def move(self, name: datetime, by: timedelta) -> bytes:
        """Move one instance."""
        start, end = self.dates[name]
        self.dates[name] = (start + by, end + by)
        self.sequence += 1
        return self._send("REQUEST", [self._override(name)])

    def cancel(self, name: datetime) -> bytes:
        """Cancel one instance."""
        self.sequence += 1
        override = self._override(name)
        del self.dates[name]
        return self._send("CANCEL", [override])

    def cancel_all(self) -> bytes:
        """Cancel all of it."""
        self.sequence += 1
        master = self._master()
        self.dates = {}
        return self._send("CANCEL", [master])

    def _time(self, name: str, moment: datetime) -> str:
        if self.kind == "days":
            if self.number % 2:
                return f"{name};VALUE=DATE:{moment:%Y%m%d}"
            return f"{name};TZID={ZONES['berlin'][2]}:{moment:%Y%m%dT%H%M%S}"
        zone = f";TZID={ZONES[self.kind][2]}" if self.kind in ZONES else ""
        return f"{name}{zone}:{moment:%Y%m%dT%H%M%S}{'Z' if self.kind == 'utc' else ''}"

    def _master(self) -> list[str]:
        first = self.starts[0] + self.shift
        excluded = [self._time("EXDATE", name + self.shift) for name in self.starts if name not in self.dates]
        rule = self.rule if len(self.starts) > 1 else ""
        return [
            self._time("DTSTART", first),
            self._time("DTEND", first + self.length),
            *([f"RRULE:{rule}"] if rule else []),
            *excluded,
        ]

    def _overrides(self) -> list[list[str]]:
        moved = (name for name, (start, _) in self.dates.items() if start != name + self.shift)
        return [self._override(name) for name in moved]

    def _override(self, name: datetime) -> list[str]:
        start, end = self.dates[name]
        return [
            self._time("RECURRENCE-ID", name + self.shift),
            self._time("DTSTART", start),
            self._time("DTEND", end),
        ]

    def _send(self, method: str, events: list[list[str]]) -> bytes:
        kind = "berlin" if self.kind == "days" else self.kind
        zone = timezone(ZONES[kind][2], kind, is_of_notes=False) if kind in ZONES else []
        stamp = self._stamp()
        common = [
            stamp,
            f"SEQUENCE:{self.sequence}",
            f"ATTENDEE;ROLE=REQ-PARTICIPANT;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:{self.guest}",
            "SUMMARY:Plans",
            f"ORGANIZER;CN=Ann:MAILTO:{self.address}",
            f"UID:040000008200E00074C5B7101A82E008{self.number:048X}",
            *(["X-MICROSOFT-CDO-ALLDAYEVENT:TRUE"] if self.kind == "days" else []),
        ]
        body = [line for event in events for line in ("BEGIN:VEVENT", *event, *common, "END:VEVENT")]
        lines = [
            "BEGIN:VCALENDAR",
            "VERSION:2.0",
            "PRODID:Microsoft Exchange Server 2010",
            f"METHOD:{method}",
            *zone,
            *body,
            "END:VCALENDAR",
        ]
        return self._message(method, lines)


def days(first: date, rule: str, count: int) -> list[date]:
    """Return the first days of one of the rules that lives use."""
    step = {"FREQ=DAILY": 1, "FREQ=WEEKLY": 7, "FREQ=WEEKLY;INTERVAL=2": 14}
    if rule in step:
        return [first + timedelta(days=step[rule] * number) for number in range(count)]
    wanted = [int(day) for day in rule.partition("BYMONTHDAY=")[2].split(",")]
    found: list[date] = []
    day = first
    while len(found) < count:
        if day.day in wanted:
            found.append(day)
        day += timedelta(days=1)
    return found
