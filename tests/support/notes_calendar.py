"""Meetings as Notes sends them: a rule once, then lists of periods, single moves, and "this and all future ones".

A `NotesMeeting` is the organizer's calendar entry. Each method changes it and returns the message that Notes sends; the
entry itself is the truth that every other calendar has to agree with.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("America/New_York")
TIMEZONE = """\
BEGIN:VTIMEZONE
TZID:Eastern
BEGIN:STANDARD
DTSTART:19501105T020000
TZOFFSETFROM:-0400
TZOFFSETTO:-0500
RRULE:FREQ=YEARLY;BYMINUTE=0;BYHOUR=2;BYDAY=1SU;BYMONTH=11
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:19500312T020000
TZOFFSETFROM:-0500
TZOFFSETTO:-0400
RRULE:FREQ=YEARLY;BYMINUTE=0;BYHOUR=2;BYDAY=2SU;BYMONTH=3
END:DAYLIGHT
END:VTIMEZONE"""
MESSAGE = """\
From: "John Doe/Sales/Acme" <john@notes.example.com>
To: jane@exchange.example.com
Subject: {subject}
Date: Tue, 02 Jan 2024 09:00:00 +0000
Message-ID: <OF0000000{number}.00000000-ON00000000.00000000-00000000.00000000@notes.example.com>
MIME-Version: 1.0
Content-Type: multipart/alternative; boundary="=_alternative 006E25D1852585E3_="

--=_alternative 006E25D1852585E3_=
Content-Type: text/plain; charset="US-ASCII"

Please come.
--=_alternative 006E25D1852585E3_=
Content-Type: text/calendar; charset="UTF-8"; method={method}
Content-Transfer-Encoding: 8bit

{calendar}
--=_alternative 006E25D1852585E3_=--
"""
Period = tuple[datetime, datetime]
"""Start and end, local to `ZONE`, naive."""


def instant(local: datetime) -> str:
    """Return a local time as Notes writes instants."""
    return local.replace(tzinfo=ZONE).astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def local(moment: datetime) -> str:
    """Return a local time as iCalendar writes it."""
    return moment.strftime("%Y%m%dT%H%M%S")


def message(calendar: str, method: str = "REQUEST", subject: str = "Meeting", number: int = 1) -> bytes:
    """Return a calendar in a message of Notes."""
    text = MESSAGE.format(calendar=calendar.rstrip(), method=method, subject=subject, number=number)
    return text.replace("\r\n", "\n").replace("\n", "\r\n").encode()


@dataclass
class NotesMeeting:
    """A repeating meeting. dates: by where each instance first was."""

    dates: dict[datetime, Period]
    rule: str | None = "FREQ=DAILY;COUNT=5"
    sequence: int = 0
    sent: int = 0
    uid: str = "6BA1ECA4D58B306C85256FDB0071B664-Lotus_Notes_Generated"

    @classmethod
    def at(cls, starts: list[datetime], rule: str | None, length: timedelta = timedelta(hours=1)) -> NotesMeeting:
        """Return a meeting that begins at these local times, which the rule has to make."""
        return cls({start: (start, start + length) for start in starts}, rule)

    def spans(self) -> list[tuple[str, str]]:
        """Return when it is, as `outlook_calendar.spans` does."""
        iso = "%Y-%m-%dT%H:%M:%SZ"
        return sorted(
            tuple(one.replace(tzinfo=ZONE).astimezone(UTC).strftime(iso) for one in period)  # type: ignore[misc]
            for period in self.dates.values()
        )

    def invite(self) -> bytes:
        """Invite to all of it."""
        start, end = min(self.dates.values())
        repeats = [f"RRULE;TZID=Eastern:{self.rule}"] if self.rule else [_periods(sorted(self.dates.values()))]
        return self._send("REQUEST", "I", start, end, *repeats)

    def update(self) -> bytes:
        """Send all of it once more, with no date changed."""
        start, end = min(self.dates.values())
        return self._send("REQUEST", "E", start, end, _periods(sorted(self.dates.values())))

    def reschedule(self, by: timedelta, length: timedelta | None = None) -> bytes:
        """Move every instance by the clock."""
        moved = {
            first: (start + by, start + by + (length or end - start)) for first, (start, end) in self.dates.items()
        }
        self.dates = moved
        self.sequence += 1
        start, end = min(moved.values())
        return self._send("REQUEST", "U", start, end, _periods(sorted(moved.values())))

    def move(self, first: datetime, start: datetime, length: timedelta = timedelta(hours=1)) -> bytes:
        """Move one instance."""
        self.dates[first] = (start, start + length)
        self.sequence += 1
        only = [self.dates[first]]
        return self._send("REQUEST", "U", *only[0], f"RECURRENCE-ID:{instant(first)}", _periods(only))

    def move_from(self, first: datetime, by: timedelta) -> bytes:
        """Move one instance and all that follow."""
        tail = [date for date in self.dates if date >= first]
        for date in tail:
            start, end = self.dates[date]
            self.dates[date] = (start + by, end + by)
        self.sequence += 1
        periods = sorted(self.dates[date] for date in tail)
        ranged = f"RECURRENCE-ID;RANGE=THISANDFUTURE:{instant(first)}"
        return self._send("REQUEST", "U", *periods[0], ranged, _periods(periods))

    def cancel(self, first: datetime) -> bytes:
        """Cancel one instance."""
        start, end = self.dates.pop(first)
        return self._send("CANCEL", "C", start, end, f"RECURRENCE-ID:{instant(first)}")

    def cancel_from(self, first: datetime) -> bytes:
        """Cancel one instance and all that follow."""
        tail = [date for date in sorted(self.dates) if date >= first]
        periods = [self.dates.pop(date) for date in tail]
        ranged = f"RECURRENCE-ID;RANGE=THISANDFUTURE:{instant(first)}"
        return self._send("CANCEL", "C", *periods[0], ranged, _periods(periods))

    def cancel_all(self) -> bytes:
        """Cancel all that is left."""
        periods = sorted(self.dates.values())
        self.dates = {}
        return self._send("CANCEL", "C", *periods[0], _periods(periods), "X-LOTUS-RECURID;RANGE=ALL:19700101T000000Z")

    def _send(self, method: str, notice_type: str, start: datetime, end: datetime, *more: str) -> bytes:
        self.sent += 1
        lines = (
            "BEGIN:VCALENDAR",
            "X-LOTUS-CHARSET:UTF-8",
            "VERSION:2.0",
            "PRODID:-//Lotus Development Corporation//NONSGML Notes 8.5.2//EN_S",
            f"METHOD:{method}",
            TIMEZONE,
            "BEGIN:VEVENT",
            f'DTSTART;TZID="Eastern":{local(start)}',
            f'DTEND;TZID="Eastern":{local(end)}',
            "TRANSP:OPAQUE",
            *more,
            f"DTSTAMP:20240101T1200{self.sent % 60:02}Z",
            f"SEQUENCE:{self.sequence}",
            'ATTENDEE;ROLE=CHAIR;PARTSTAT=ACCEPTED;CN="John Doe/Sales/Acme";RSVP=FALSE:mailto:john@notes.example.com',
            'ATTENDEE;ROLE=REQ-PARTICIPANT;RSVP=TRUE;CN="Jane Roe":mailto:jane@exchange.example.com',
            "SUMMARY:Plans",
            'DESCRIPTION;ALTREP="CID:<FFFF__=0ABBE548DFE136748f9e8a93d@notes.example.com>":What we plan',
            'ORGANIZER;CN="John Doe/Sales/Acme":mailto:john@notes.example.com',
            f"UID:{self.uid}",
            f"X-LOTUS-NOTICETYPE:{notice_type}",
            "X-LOTUS-APPTTYPE:3",
            "X-LOTUS-UPDATE-WISL:$S:1;$L:1;$B:1",
            "END:VEVENT",
            "END:VCALENDAR",
        )
        return message("\n".join(lines), method, "Plans", self.sent)


def _periods(periods: list[Period]) -> str:
    listed = ",".join(f"{local(start)}/{local(end)}" for start, end in periods)
    return f'RDATE;TZID="Eastern";VALUE=PERIOD:{listed}'
