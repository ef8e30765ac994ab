"""iCalendar text (RFC 5545) as Notes, Domino, Outlook and Exchange write it, and as strict readers take it.

Reading is lenient and bounded, and resolves no time zone: a local time stays naive, its zone's name in the TZID
parameter, because what a zone's name means is decided in `calendar.zones.find`. Writing is strict: CRLF, lines of
at most 75 octets, UTF-8, values escaped.

Quirks that are read:

- Notes: `ALTREP=CID:<…@>` without quotes; parameters on RRULE; bare semicolons in `X-LOTUS-UPDATE-WISL`; folds inside
  a value; several VCALENDARs in one text; the charset in `X-LOTUS-CHARSET`.
- Exchange: tabs as folds; quoted and bare TZIDs, some with colons and commas in them.
- Relays: a line that lost its fold; a component that is never ended.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from typing import Any

from icalendar import (
    Alarm,
    Calendar,
    Component,
    Event,
    FreeBusy,
    Journal,
    Timezone,
    TimezoneDaylight,
    TimezoneStandard,
    Todo,
)
from icalendar.parser import Contentline, Parameters
from icalendar.parser_tools import to_unicode
from icalendar.prop import vDDDLists, vDDDTypes

from shared.calendar.content_line import content_lines, split_line
from shared.calendar.values import Moment, Period, Text, read_value
from shared.errors import MalformedCalendar
from shared.mail import charset as charsets

__all__ = [
    "ENTRIES",
    "PRODID",
    "Moment",
    "Period",
    "Text",
    "decode_calendar",
    "moment_of",
    "moments_of",
    "put_moment",
    "put_moments",
    "read_calendars",
    "text_of",
    "values_of",
    "write_calendar",
]

ENTRIES = frozenset({"VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY"})
"""The components of a calendar that people exchange (RFC 5546): all but time zones and alarms."""

PRODID = "-//Causeway//Calendar 1.0//EN"
"""In every calendar that the gateway wrote for Exchange, so that none is converted twice."""

MAX_CHARACTERS = 4 * 1024 * 1024
MAX_DEPTH = 8
MAX_LINE_OCTETS = 75  # RFC 5545 section 3.1

_CLASSES: dict[str, type[Component]] = {
    one.name: one
    for one in (
        *(Calendar, Event, Todo, Journal, FreeBusy, Alarm),
        *(Timezone, TimezoneStandard, TimezoneDaylight),
    )
    if one.name
}
_BYTE_FOLD = re.compile(rb"(?:\r\n|\r|\n)[ \t]")
_LOTUS_CHARSET = re.compile(rb"^X-LOTUS-CHARSET[^:\r\n]*:[ \t]*([!-~]+)", re.MULTILINE | re.IGNORECASE)


def decode_calendar(octets: bytes, charset: str | None) -> str:
    """Return the text of a calendar part. octets: its body without transfer encoding; charset: as its MIME type says.

    The part's charset counts, then X-LOTUS-CHARSET, then UTF-8; one that is unknown or does not fit the bytes is not
    believed. A fold may stand inside a character (RFC 5545 section 3.1): what cannot be decoded is tried unfolded.
    """
    written = _LOTUS_CHARSET.search(octets, 0, 4096)
    unfolded = _BYTE_FOLD.sub(b"", octets)
    for name in dict.fromkeys((charset, written[1].decode("ascii") if written else None, "utf-8")):
        if name and not charsets.is_ascii(name):
            for form in (octets, unfolded):
                text = charsets.decode(form, name)
                if text is not None:
                    return text.removeprefix("\ufeff")
    return charsets.guess(octets).removeprefix("\ufeff")


def read_calendars(text: str) -> tuple[Calendar, ...]:
    """Return every VCALENDAR of the text; components outside of any get one of their own.

    A property whose value cannot be read is left out and named in its component's `errors`; so is a line that is none.
    Raises MalformedCalendar where there is no component at all, or a limit of this module is broken.
    """
    if len(text) > MAX_CHARACTERS:
        raise MalformedCalendar(f"more than {MAX_CHARACTERS} characters")
    calendars: list[Calendar] = []
    loose: list[Component] = []
    open: list[Component] = []

    def close() -> None:
        component = open.pop()
        if isinstance(component, Calendar):
            calendars.append(component)
        elif open:
            open[-1].add_component(component)
        else:
            loose.append(component)

    for line in content_lines(text):
        read = split_line(line)
        if read is None:
            if open:
                open[-1].errors.append((None, f"no content line: {line[:60]}"))
            continue
        name, parameters, value = read
        kind = value.strip().upper()
        if name == "BEGIN":
            if kind == "VCALENDAR":
                while open:
                    close()
            if len(open) == MAX_DEPTH:
                raise MalformedCalendar(f"components nested more than {MAX_DEPTH} deep")
            open.append(_component(kind))
        elif name == "END":
            if any(component.name == kind for component in open):
                while open[-1].name != kind:
                    close()
                close()
        elif open:
            try:
                open[-1].add(name, read_value(name, parameters, value), encode=False)
            except ValueError as error:
                open[-1].errors.append((name, f"{error}"[:200]))
    while open:
        close()
    if loose:
        calendar = Calendar()
        calendar.subcomponents += loose
        calendars.append(calendar)
    if not calendars:
        raise MalformedCalendar("it holds no calendar component")
    return tuple(calendars)


def write_calendar(calendar: Component) -> bytes:
    """Return the text of a calendar in UTF-8, with CRLF, in lines of at most 75 octets."""
    return b"".join(_folded(line) + b"\r\n" for line in _lines(calendar))


def _lines(component: Component) -> Iterator[Contentline]:
    yield Contentline(f"BEGIN:{component.name}")
    for name in component.sorted_keys():
        for value in values_of(component, name):
            yield _line(component, name, value)
    for inner in component.subcomponents:
        yield from _lines(inner)
    yield Contentline(f"END:{component.name}")


def _line(component: Component, name: str, value: Any) -> Contentline:
    """Return a content line; the library makes parameters anew even for a value that has none."""
    parameters = getattr(value, "params", None)
    if parameters or parameters is None:
        line: Contentline = component.content_line(name, value)
        return line
    return Contentline(f"{name}:{to_unicode(value.to_ical())}")


def _folded(line: Contentline) -> bytes:
    """Fold a line where it is too long; the library looks at every character for that."""
    return line.encode() if len(line) < MAX_LINE_OCTETS and line.isascii() else bytes(line.to_ical())


def values_of(component: Component, name: str) -> list[Any]:
    """Return the values of a property in their order, none where it is missing."""
    value = component.get(name)
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]


def text_of(component: Component, name: str) -> str:
    """Return the first value of a text property, "" where it is missing."""
    values = values_of(component, name)
    return str(values[0]) if values else ""


def moment_of(component: Component, name: str) -> tuple[Moment, str | None] | None:
    """Return the first date or date-time of a property and its TZID (None where it has none), or None."""
    for value in values_of(component, name):
        dt = getattr(value, "dt", None)
        if isinstance(dt, date):  # which a datetime is, too
            return dt, _tzid(value.params)
    return None


def moments_of(component: Component, name: str) -> Iterator[tuple[Moment | Period, str | None]]:
    """Yield each date, date-time and period of RDATE or EXDATE with its TZID."""
    for value in values_of(component, name):
        for one in getattr(value, "dts", ()):
            yield one.dt, _tzid(value.params)


def put_moment(component: Component, name: str, moment: Moment, tzid: str | None = None) -> None:
    """Set a date or date-time property. A naive datetime needs the `tzid` that it is local to, unless it floats."""
    component[name] = vDDDTypes(moment)
    if tzid and _is_local(moment):
        component[name].params["TZID"] = tzid  # which the constructor drops beside a naive time


def put_moments(component: Component, name: str, moments: Iterable[Moment], tzid: str | None = None) -> None:
    """Set EXDATE or RDATE to one list of values of one kind; without any, remove it."""
    component.pop(name, None)
    values = list(moments)
    if values:
        component[name] = vDDDLists(values)
        if tzid and _is_local(values[0]):
            component[name].params["TZID"] = tzid
        elif not isinstance(values[0], datetime):
            component[name].params["VALUE"] = "DATE"


def _is_local(moment: Moment) -> bool:
    return isinstance(moment, datetime) and moment.tzinfo is None


def _tzid(parameters: Parameters) -> str | None:
    zone = parameters.get("TZID")
    return str(zone) if zone else None


def _component(kind: str) -> Component:
    """Return a new component; the library's factory would keep a class for every unknown name that a stranger sends."""
    if kind in _CLASSES:
        return _CLASSES[kind]()
    component = Component()
    component.name = re.sub(r"[^A-Z0-9-]", "", kind)[:64] or "X-UNNAMED"  # type: ignore[misc]
    return component
