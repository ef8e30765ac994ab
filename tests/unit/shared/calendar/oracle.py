"""The occurrences of a calendar as another program finds them: recurring-ical-events, over the library's own reader."""

from __future__ import annotations

from datetime import UTC, date, datetime

import recurring_ical_events

from tests.support.icalendar_reader import read_fresh

FIRST, LAST = datetime(1995, 1, 1, tzinfo=UTC), datetime(2033, 1, 1, tzinfo=UTC)

Moment = date | datetime


def occurrences(text: str, until: datetime = LAST) -> set[tuple[Moment, Moment]]:
    """Return start and end of each, instants in UTC or dates. An entry without UID is one of its own."""
    calendar = read_fresh(text)
    for number, event in enumerate(calendar.walk("VEVENT")):
        if "UID" not in event:
            event["UID"] = f"number {number}"
    found = recurring_ical_events.of(calendar).between(FIRST, until)
    return {(_instant(one.start), _instant(one.end)) for one in found}


def _instant(moment: Moment) -> Moment:
    return moment.astimezone(UTC) if isinstance(moment, datetime) and moment.tzinfo else moment
