"""What the properties of an entry must be for Notes to take it, whatever the entry is. Changes what it is given.

- Every entry has a UID and a DTSTAMP of its own (RFC 5545 sections 3.8.4.7 and 3.8.7.2). One without a UID gets one
  that follows from what it says, so that the same entry has the same.
- What Notes wrote about an update is never told back to it: it would honour it.
- People are shown by their public addresses; a name in stray quotes loses them.
- A language tag is of no use to Notes, which takes only the bare property.

What is Microsoft's own stays: Notes passes over it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime
from typing import Any

from icalendar import Component
from icalendar.prop import vCalAddress

from shared.calendar.ical import moment_of, put_moment, text_of, values_of
from shared.calendar.values import Text

_STALE = ("X-LOTUS-UPDATE", "X-LOTUS-CHANGE-INST-DATES", "X-LOTUS-INITIAL-RDATES", "X-LOTUS-LASTALL-RDATES")
_WITH_LANGUAGE = ("SUMMARY", "DESCRIPTION", "LOCATION", "COMMENT", "CATEGORIES", "RESOURCES", "CONTACT")
_PEOPLE = ("ORGANIZER", "ATTENDEE")
_PERSON_PARAMETERS = ("SENT-BY", "DELEGATED-FROM", "DELEGATED-TO", "MEMBER")
_MAILTO = "mailto:"
_WHAT_IT_IS = ("SUMMARY", "ORGANIZER", "LOCATION")

Public = Callable[[str], str]


def make_plain(entry: Component, public: Public, now: datetime) -> None:
    """Make an entry one that Notes takes. public: gives the public address for one. now: in UTC."""
    for name in [name for name in entry if name.upper().startswith(_STALE)]:
        del entry[name]
    for name in _WITH_LANGUAGE:
        for value in values_of(entry, name):
            value.params.pop("LANGUAGE", None)
    for name in _PEOPLE:
        if name in entry:
            named = [_person(one, public) for one in values_of(entry, name)]
            people = list({str(one).casefold(): one for one in reversed(named)}.values())[::-1]  # the first of each
            entry[name] = people if len(people) > 1 else people[0]
    if not text_of(entry, "UID").strip():
        entry["UID"] = Text(_own_uid(entry))
    if not moment_of(entry, "DTSTAMP"):
        stamp = moment_of(entry, "LAST-MODIFIED") or moment_of(entry, "CREATED")
        put_moment(entry, "DTSTAMP", stamp[0] if stamp else now.replace(microsecond=0))


def address_of(person: Any) -> str:
    """Return the mail address of an ORGANIZER or ATTENDEE value, "" where it has none."""
    text = str(person).strip()
    return text[len(_MAILTO) :].strip() if text.lower().startswith(_MAILTO) else ""


def _person(person: Any, public: Public) -> vCalAddress:
    new = vCalAddress(_public_uri(str(person), public))
    new.params = person.params
    if "CN" in new.params:
        new.params["CN"] = _name(str(new.params["CN"]), public)
    for name in _PERSON_PARAMETERS:
        told = new.params.get(name)
        if isinstance(told, list):
            new.params[name] = [_public_uri(one, public) for one in told]
        elif told:
            new.params[name] = _public_uri(str(told), public)
    return new


def _public_uri(uri: str, public: Public) -> str:
    address = address_of(uri)
    return f"{_MAILTO}{public(address)}" if address else uri


def _name(name: str, public: Public) -> str:
    bare = name[1:-1] if len(name) > 2 and name[0] == name[-1] == "'" else name
    return public(bare) if "@" in bare and " " not in bare else bare


def _own_uid(entry: Component) -> str:
    start = moment_of(entry, "DTSTART")
    told = [str(start[0]) if start else "", *(text_of(entry, name) for name in _WHAT_IT_IS)]
    digest = hashlib.sha256("\n".join(told).encode("utf-8", "replace")).hexdigest()
    return f"{digest[:32].upper()}-causeway"
