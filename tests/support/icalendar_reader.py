"""Reading calendars with the icalendar library as if each were the first one of the process."""

from __future__ import annotations

from icalendar import Calendar, use_zoneinfo


def read_fresh(text: str | bytes) -> Calendar:
    """Return the calendar, with the zones that it defines itself.

    The library keeps every zone it ever read by its TZID, and would go by one that another test defined otherwise.
    """
    use_zoneinfo()
    calendar = Calendar.from_ical(text)
    assert isinstance(calendar, Calendar)
    return calendar
