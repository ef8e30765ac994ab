"""Calendars as Outlook takes them: the planned entries of one UID, their zones, and the X-MICROSOFT properties.

A whole one has one UID, PRODID, VERSION and METHOD, no X-LOTUS property, and SEQUENCE and DTSTAMP in every entry.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta

from icalendar import Alarm, Calendar, Component
from icalendar.prop import vDDDTypes, vInt, vRecur

from services.transform.calendar.to_exchange.plan import Entry, Sheet
from services.transform.calendar.to_exchange.zones import ZoneWriter
from services.transform.calendar.uids import single_uid
from shared.calendar.ical import ENTRIES, PRODID, moment_of, put_moment, text_of, values_of, write_calendar
from shared.calendar.values import Moment, Text

_TIMES = ("DTSTART", "DTEND", "DURATION", "RRULE", "RDATE", "EXDATE", "EXRULE", "RECURRENCE-ID", "SEQUENCE", "STATUS")
_LOTUS = "X-LOTUS-"
_KINDS = {"1": "anniversary", "2": "all-day event", "4": "reminder"}  # X-LOTUS-APPTTYPE


def strip_lotus(component: Component) -> None:
    """Take every X-LOTUS property out of a component, in place."""
    for name in [name for name in component if name.upper().startswith(_LOTUS)]:
        component.pop(name)


def suit_kind(component: Component) -> None:
    """Make anniversaries and reminders of Notes (X-LOTUS-APPTTYPE) what they are in Outlook, in place.

    An anniversary takes nobody's time; neither does a reminder, which has an alarm at its start.
    """
    kind = _KINDS.get(text_of(component, "X-LOTUS-APPTTYPE").strip())
    if kind in ("anniversary", "reminder") and "TRANSP" not in component:
        component["TRANSP"] = Text("TRANSPARENT")
    alarms = [one for one in component.subcomponents if one.name == "VALARM"][:1]
    if kind == "reminder" and not alarms:
        alarms = [Alarm()]
        alarms[0]["TRIGGER"] = vDDDTypes(timedelta(), {"RELATED": "START"})
    for alarm in alarms:
        _suit_alarm(alarm)
    component.subcomponents = [one for one in component.subcomponents if one.name != "VALARM"] + alarms


def write_sheet(sheet: Sheet, uid: str, method: str, now: float) -> bytes:
    """Return the text of a planned calendar. method: as it is to be said; now: seconds since the epoch."""
    zones = ZoneWriter(_dates(sheet.entries))
    written = [_entry(one, sheet, uid, method, zones) for one in sheet.entries]
    return write_others(written, method, zones, now)


def write_others(components: Iterable[Component], method: str, zones: ZoneWriter, now: float) -> bytes:
    """Return the text of a calendar of components whose times stay as they are."""
    calendar = Calendar()
    calendar["PRODID"] = Text(PRODID)
    calendar["VERSION"] = Text("2.0")
    calendar["METHOD"] = Text(method)
    calendar.subcomponents = [*zones.timezones(), *components]
    for component in calendar.subcomponents:
        _stamp(component, now)
    return write_calendar(calendar)


def _dates(entries: Iterable[Entry]) -> Iterator[date]:
    for entry in entries:
        moments: tuple[Moment, ...] = (entry.occurrence.start, entry.occurrence.end, *entry.excluded)
        yield from moments
        yield from (one for one in (entry.slot, entry.last) if one)


def _entry(entry: Entry, sheet: Sheet, uid: str, method: str, zones: ZoneWriter) -> Component:
    component = entry.template.copy()
    component.subcomponents = list(entry.template.subcomponents) if method != "CANCEL" else []
    for name in _TIMES:
        component.pop(name, None)
    zones.put(component, "DTSTART", entry.occurrence.start, sheet.zone)
    zones.put(component, "DTEND", entry.occurrence.end, sheet.zone)
    if entry.slot is not None:
        zones.put(component, "RECURRENCE-ID", entry.slot, sheet.zone)
    if entry.rule:
        component["RRULE"] = vRecur(vRecur.from_ical(entry.rule))
        zones.put_all(component, "EXDATE", entry.excluded, sheet.zone)
    component["UID"] = Text(uid if entry.apart is None else single_uid(uid, entry.apart))
    component["SEQUENCE"] = vInt(sheet.sequence)
    component["X-MICROSOFT-CDO-APPT-SEQUENCE"] = Text(str(sheet.sequence))
    component["STATUS"] = Text("CANCELLED" if method == "CANCEL" else "CONFIRMED")
    stamp = moment_of(component, "DTSTAMP")
    least = datetime.fromtimestamp(sheet.stamped_at, UTC)
    if stamp and isinstance(stamp[0], datetime) and stamp[0].tzinfo and stamp[0] < least:
        put_moment(component, "DTSTAMP", least)
    _tell_outlook(component, method)
    return component


def _stamp(component: Component, now: float) -> None:
    """Give a component that lacks it a DTSTAMP in UTC (RFC 5545 section 3.8.7.2)."""
    found = moment_of(component, "DTSTAMP")
    if component.name in ENTRIES and (found is None or not isinstance(found[0], datetime) or not found[0].tzinfo):
        put_moment(component, "DTSTAMP", datetime.fromtimestamp(int(now), UTC))


def _tell_outlook(component: Component, method: str) -> None:
    """Say in Outlook's own words whether the time is taken (MS-OXCICAL section 2.1.3.1.1.20)."""
    is_free = text_of(component, "TRANSP").upper() == "TRANSPARENT"
    intended = "FREE" if is_free or method == "CANCEL" else "BUSY"
    shown = intended if method != "REQUEST" or is_free else "TENTATIVE"  # until the invited person answers
    start = moment_of(component, "DTSTART")
    is_all_day = start is not None and not isinstance(start[0], datetime)
    component["X-MICROSOFT-CDO-BUSYSTATUS"] = Text(shown)
    component["X-MICROSOFT-CDO-INTENDEDSTATUS"] = Text(intended)
    component["X-MICROSOFT-CDO-ALLDAYEVENT"] = Text("TRUE" if is_all_day else "FALSE")
    priority = next((int(one) for one in values_of(component, "PRIORITY")), 0)
    component["X-MICROSOFT-CDO-IMPORTANCE"] = Text("1" if priority in (0, 5) else "2" if priority < 5 else "0")


def _suit_alarm(alarm: Component) -> None:
    """Leave what Outlook reads: one alarm that shows something."""
    for name in [name for name in alarm if name.upper() not in ("TRIGGER", "DESCRIPTION")]:
        alarm.pop(name)
    alarm["ACTION"] = Text("DISPLAY")
    if not text_of(alarm, "DESCRIPTION").strip():
        alarm["DESCRIPTION"] = Text("REMINDER")
