"""An iCalendar object as Exchange writes it: the common base of meetings and tasks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Literal

import icalendar

from services.transform.tnef.message import Person
from shared.calendar.ical import write_calendar
from shared.calendar.values import Text, Texts

Method = Literal["REQUEST", "REPLY", "CANCEL", "COUNTER", "PUBLISH"]
Component = icalendar.Event | icalendar.Todo

PRODID = "-//Causeway//TNEF//EN"
_CLASSES = {1: "PERSONAL", 2: "PRIVATE", 3: "CONFIDENTIAL"}  # PidTagSensitivity (MS-OXCMSG section 2.2.1.13)
_ROLES = {"to": "REQ-PARTICIPANT", "cc": "OPT-PARTICIPANT", "bcc": "NON-PARTICIPANT"}


@dataclass(frozen=True, slots=True)
class CalendarObject:
    """A VCALENDAR and its METHOD (RFC 5546), which its MIME part repeats. uid: of its components."""

    method: Method
    uid: str
    octets: bytes


def write(method: Method, components: list[icalendar.Component]) -> bytes:
    """Return the object in UTF-8, folded, with CRLF."""
    calendar = icalendar.Calendar()
    calendar.add("METHOD", method)
    calendar.add("PRODID", PRODID)
    calendar.add("VERSION", "2.0")
    for component in components:
        calendar.add_component(component)
    return write_calendar(calendar)


def add_text(component: Component, name: str, text: str) -> None:
    """Add a property of text unless it is blank; control characters, which iCalendar cannot hold, are left out."""
    if clean := _without_controls(text).strip():
        component.add(name, Text(clean), encode=False)


def add_keywords(component: Component, keywords: tuple[str, ...]) -> None:
    """Add CATEGORIES, if there are any."""
    if clean := [keyword for written in keywords if (keyword := _printable(written).strip())]:
        component.add("CATEGORIES", Texts(clean), encode=False)


def add_sensitivity(component: Component, sensitivity: int | None) -> None:
    """Add CLASS."""
    component.add("CLASS", _CLASSES.get(sensitivity or 0, "PUBLIC"))


def add_description(component: Component, text: str, html: str | None) -> None:
    """Add the body: as text, and as HTML in the property that Outlook reads it from."""
    add_text(component, "DESCRIPTION", text)
    if html:
        rich = Text(_without_controls(html))
        rich.params["FMTTYPE"] = "text/html"
        component.add("X-ALT-DESC", rich, encode=False)


def add_time(component: Component, name: str, when: datetime | date, zone: str) -> None:
    """Add a date, or a local time in the named zone; in UTC where the zone is that."""
    if not isinstance(when, datetime):
        component.add(name, icalendar.vDDDTypes(when), parameters={"VALUE": "DATE"})
    elif zone == "UTC":
        component.add(name, icalendar.vDDDTypes(when.replace(tzinfo=UTC)))
    else:
        component.add(name, icalendar.vDDDTypes(when), parameters={"TZID": zone})


def add_organizer(component: Component, person: Person | None, delegate: Person | None = None) -> None:
    """Add ORGANIZER, if the person has an address. delegate: the person who sent it on their behalf."""
    if person and person.address:
        component.add("ORGANIZER", _mailto(person), parameters={**_name(person), **_sent_by(delegate)})


def add_attendee(component: Component, person: Person, delegate: Person | None = None, **parameters: str) -> None:
    """Add an ATTENDEE with its parameters, if the person has an address. delegate: who answers for the person."""
    if person.address:
        component.add("ATTENDEE", _mailto(person), parameters={**_name(person), **_sent_by(delegate), **parameters})


def add_invited(
    component: Component, people: tuple[Person, ...], organizer: Person | None, *, is_answer_wanted: bool = True
) -> None:
    """Add all attendees except the organizer. RSVP is set if an answer is requested."""
    seen = {organizer.address.lower()} if organizer else set()
    for person in people:
        if person.is_organizer or person.address.lower() in seen:
            continue
        seen.add(person.address.lower())
        parameters = {"ROLE": _ROLES.get(person.role, "REQ-PARTICIPANT"), "PARTSTAT": "NEEDS-ACTION"}
        if is_answer_wanted:
            parameters["RSVP"] = "TRUE"
        if person.role == "bcc":
            parameters["CUTYPE"] = "RESOURCE"
        add_attendee(component, person, None, **parameters)


def _without_controls(text: str) -> str:
    return "".join(letter for letter in text.replace("\r\n", "\n") if letter in "\n\t" or letter.isprintable())


def _printable(text: str) -> str:
    return "".join(letter for letter in text if letter.isprintable())


def _mailto(person: Person) -> str:
    return f"mailto:{_printable(person.address).replace(' ', '%20')}"


def _sent_by(delegate: Person | None) -> dict[str, str]:
    return {"SENT-BY": _mailto(delegate).replace('"', "")} if delegate and delegate.address else {}


def _name(person: Person) -> dict[str, str]:
    name = _printable(person.name).replace('"', "'").strip(" '")  # Outlook puts names in quotes of its own
    return {"CN": name} if name else {}
