"""Organizer, attendees and rooms of a Notes calendar entry, as everybody may see them.

Addresses are public. Where Notes has only a name (`mailto:John_Doe/Acme@server.example.com`, `invalid:nomail`), the
address in SENT-BY is the true one. Names are those that people call each other by.

Quirks: SENT-BY and addresses without `mailto:`; canonical and abbreviated names as CN, of rooms too; a room only shows
as one in X-LOTUS-ROOM.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from icalendar import Component
from icalendar.parser import Parameters
from icalendar.prop import vCalAddress

from shared.calendar.ical import text_of, values_of
from shared.calendar.values import Text
from shared.routing.notes_address import NotesName
from shared.routing.router import Router

_SCHEME = re.compile(r"\s*(?:mailto:\s*)+", re.IGNORECASE)
_OTHER_SCHEME = re.compile(r"\s*(?!mailto:)[a-z][a-z0-9+.-]*:", re.IGNORECASE)
_MAILBOX = re.compile(r"[^\s@/%<>\"]+@[^\s@/%<>\"]+\.[^\s@/%<>\"]+")
_LISTS = ("DELEGATED-TO", "DELEGATED-FROM", "MEMBER")
_PARTICIPATION = frozenset(
    ("NEEDS-ACTION", "ACCEPTED", "DECLINED", "TENTATIVE", "DELEGATED", "COMPLETED", "IN-PROCESS")
)
_ROLES = frozenset(("CHAIR", "REQ-PARTICIPANT", "OPT-PARTICIPANT", "NON-PARTICIPANT"))
_KINDS = frozenset(("INDIVIDUAL", "GROUP", "RESOURCE", "ROOM", "UNKNOWN"))


def publish_people(component: Component, router: Router) -> None:
    """Make ORGANIZER, every ATTENDEE and a room in LOCATION public, in place."""
    for name in ("ORGANIZER", "ATTENDEE"):
        published = _without_repeats([_published(value, router) for value in values_of(component, name)])
        component.pop(name, None)
        for value in published if name == "ATTENDEE" else published[:1]:
            component.add(name, value, encode=False)
    room, location = (_common_name(text_of(component, name)) for name in ("X-LOTUS-ROOM", "LOCATION"))
    people = values_of(component, "ATTENDEE")
    for person in people:
        _tell_kind(person.params, room, location)
    rooms = {_common_name(str(one.params.get("CN", ""))).lower() for one in people if _is_room(one.params)}
    if location and location.lower() in {room.lower(), *rooms}:
        component["LOCATION"] = Text(location)


def _without_repeats(people: list[vCalAddress]) -> list[vCalAddress]:
    """Return people once each, as they are named first; their addresses are public, so that one person has one."""
    return list({str(person).casefold(): person for person in reversed(people)}.values())[::-1]


def address_of(value: Any) -> str:
    """Return the bare address in a calendar address or a parameter."""
    return _SCHEME.sub("", str(value), count=1).strip().strip("<>")


def _published(value: vCalAddress, router: Router) -> vCalAddress:
    parameters = value.params
    address = router.public(address_of(value))
    sent_by = router.public(address_of(parameters.pop("SENT-BY", "")))
    if sent_by and not _MAILBOX.fullmatch(address) and _MAILBOX.fullmatch(sent_by):
        address, sent_by = sent_by, ""
    published = vCalAddress(address if _OTHER_SCHEME.match(address) and "@" not in address else f"mailto:{address}")
    published.params = parameters
    if sent_by and sent_by.lower() != address.lower():
        parameters["SENT-BY"] = f"mailto:{sent_by}"
    for name in _LISTS:
        told = parameters.get(name)
        if told:
            others = [f"mailto:{router.public(address_of(one))}" for one in _each(told)]
            parameters[name] = others if len(others) > 1 else others[0]
    if name := human_name(str(parameters.get("CN", "")), router):
        parameters["CN"] = name
    else:
        parameters.pop("CN", None)
    for key, known in (("PARTSTAT", _PARTICIPATION), ("ROLE", _ROLES), ("CUTYPE", _KINDS)):
        if key in parameters:
            told = str(parameters[key]).strip().upper()
            if told in known:
                parameters[key] = told
            else:
                del parameters[key]
    return published


def human_name(name: str, router: Router) -> str:
    """Return what people call the bearer of a name that Notes wrote, where every name is hierarchical."""
    shown = router.public_name(name.strip())
    notes = NotesName.parse(shown) if "/" in shown else None
    return notes.parts[0] if notes and (notes.types or len(notes.parts) > 1) else shown


def _common_name(name: str) -> str:
    notes = NotesName.parse(name.strip()) if name.strip() else None
    return notes.parts[0] if notes else name.strip()


def _tell_kind(parameters: Parameters, room: str, location: str) -> None:
    """Say that a room is one (RFC 5545 section 3.2.3), and that neither room nor resource takes part."""
    name = _common_name(str(parameters.get("CN", ""))).lower()
    takes_no_part = parameters.get("ROLE") == "NON-PARTICIPANT"
    if "CUTYPE" not in parameters and name and (name == room.lower() or (takes_no_part and name == location.lower())):
        parameters["CUTYPE"] = "ROOM"
    if _is_room(parameters) or parameters.get("CUTYPE") == "RESOURCE":
        parameters["ROLE"] = "NON-PARTICIPANT"


def _is_room(parameters: Parameters) -> bool:
    return str(parameters.get("CUTYPE", "")) == "ROOM"


def _each(value: Any) -> Iterator[str]:
    yield from (map(str, value) if isinstance(value, list) else [str(value)])
