"""The zones of a calendar as Notes names them. Changes the calendar that it is given."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from icalendar import Component
from icalendar.prop import vDDDLists, vDDDTypes

from shared.calendar.ical import values_of
from shared.calendar.moments import FLOATING, ZoneOf, to_utc
from shared.calendar.zones.find import notes_name
from shared.calendar.zones.write import notes_timezone

_UTC_KEYS = frozenset(("UTC", "Etc/UTC", "Etc/UCT", "Etc/Zulu", "Zulu", "UCT", "Universal", "Etc/Universal"))


def name_zones_for_notes(calendar: Component, zone_of: ZoneOf, dates: Iterable[date]) -> None:
    """Call every zone as Notes does, with a VTIMEZONE right for the dates; UTC is said without a name.

    Times whose zone nobody knows stay local, without one.
    """
    used = list(dates)
    zones: dict[str, ZoneInfo] = {}
    for component, name, value in _in_zones(calendar):
        zone = zone_of(str(value.params["TZID"]))
        if isinstance(zone, ZoneInfo) and zone.key not in _UTC_KEYS:
            told = notes_name(zone, used)
            value.params["TZID"] = told
            zones[told] = zone
        elif zone is FLOATING:
            del value.params["TZID"]
        else:
            del value.params["TZID"]
            _put_utc(component, name, value, zone)
    others = [one for one in calendar.subcomponents if one.name != "VTIMEZONE"]
    calendar.subcomponents[:] = [*(notes_timezone(zone, used, told) for told, zone in zones.items()), *others]


def _in_zones(calendar: Component) -> Iterator[tuple[Component, str, Any]]:
    for component in calendar.walk():
        if component.name not in ("VTIMEZONE", "STANDARD", "DAYLIGHT"):
            for name in list(component):
                yield from ((component, name, one) for one in values_of(component, name) if "TZID" in one.params)


def _put_utc(component: Component, name: str, value: Any, zone: Any) -> None:
    """Put a value with its times in UTC into the place of the one it was."""
    if isinstance(value, vDDDLists):
        new: Any = vDDDLists([_utc(one.dt, zone) for one in value.dts])
    elif isinstance(value, vDDDTypes) and isinstance(value.dt, datetime):
        new = vDDDTypes(_utc(value.dt, zone))
    else:
        return
    new.params = value.params
    values = [new if one is value else one for one in values_of(component, name)]
    component[name] = values if len(values) > 1 else new


def _utc(value: Any, zone: Any) -> Any:
    if isinstance(value, tuple):
        return to_utc(value[0], zone), (to_utc(value[1], zone) if isinstance(value[1], datetime) else value[1])
    return to_utc(value, zone)
