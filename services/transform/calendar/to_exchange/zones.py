"""The time zones of a calendar for Outlook: each under the name Windows has for it, with its rules in a VTIMEZONE."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from icalendar import Component, Timezone
from icalendar.prop import vDDDLists, vDDDTypes

from shared.calendar.ical import put_moment, put_moments, values_of
from shared.calendar.moments import FLOATING, ZoneOf, to_local, to_utc, to_written
from shared.calendar.values import Moment
from shared.calendar.zones.find import windows_name
from shared.calendar.zones.write import windows_timezone

_TIMES = ("DTSTART", "DTEND", "DUE", "RECURRENCE-ID", "RDATE", "EXDATE")
_INSTANTS = ("DTSTAMP", "CREATED", "LAST-MODIFIED", "COMPLETED")


class ZoneWriter:
    """Writes times into components, and remembers which zones that took.

    dates: all that the calendar uses, so that each zone's name and rules are right for them.
    """

    def __init__(self, dates: Iterable[date] = ()) -> None:
        self.dates = list(dates)
        self._used: dict[str, ZoneInfo] = {}

    def put(self, component: Component, name: str, moment: Moment, zone: Any) -> None:
        """Set a property to an instant, said in the zone's local time where that says it exactly, or to a date."""
        local = self._local(moment, zone)
        put_moment(component, name, local, self._name(zone) if local is not moment else None)

    def put_all(self, component: Component, name: str, local: Iterable[Moment], zone: Any) -> None:
        """Set a list property to local times of the zone, or to dates."""
        told = list(local)
        if isinstance(zone, ZoneInfo) and any(isinstance(one, datetime) for one in told):
            put_moments(component, name, told, self._name(zone))
        elif zone is FLOATING:
            put_moments(component, name, told)
        else:
            put_moments(component, name, [to_utc(one, UTC) for one in told])

    def rename(self, component: Component, zone_of: ZoneOf) -> None:
        """Give every zone that the component's times name the name that Windows has for it, in place."""
        for name in _INSTANTS:
            if values := [one for one in values_of(component, name) if isinstance(one, vDDDTypes)]:
                component.pop(name)
                tzid = values[0].params.get("TZID")
                if isinstance(values[0].dt, datetime):
                    put_moment(component, name, to_utc(values[0].dt, zone_of(str(tzid) if tzid else None)))
        for name in _TIMES:
            for value in values_of(component, name):
                if "TZID" in value.params:
                    self._rename(value, zone_of(str(value.params.pop("TZID"))))

    def timezones(self) -> Iterator[Timezone]:
        """Yield the VTIMEZONE of each zone that was written."""
        for name, zone in self._used.items():
            yield windows_timezone(zone, self.dates, name)

    def _rename(self, value: vDDDTypes | vDDDLists, zone: Any) -> None:
        if isinstance(zone, ZoneInfo) and any(_has_time(one.dt) for one in value.dts):
            value.params["TZID"] = self._name(zone)
        elif zone is not FLOATING and isinstance(value, vDDDTypes) and isinstance(value.dt, datetime):
            value.dt = value.dt.replace(tzinfo=UTC)

    def _local(self, moment: Moment, zone: Any) -> Moment:
        if not isinstance(zone, ZoneInfo) or not isinstance(moment, datetime):
            return to_written(moment, zone)
        local = to_local(moment, zone)
        return local if to_utc(local, zone) == moment else moment

    def _name(self, zone: Any) -> str | None:
        if not isinstance(zone, ZoneInfo):
            return None
        name = windows_name(zone, self.dates)
        self._used[name] = zone
        return name


def _has_time(value: Any) -> bool:
    return isinstance(value, datetime | tuple)
