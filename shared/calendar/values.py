"""Values of iCalendar properties (RFC 5545 section 3.3), read from their text into the library's types.

A local time stays naive: what its TZID means is decided elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, date, datetime, timedelta
from typing import Any

from icalendar.parser import Parameters
from icalendar.prop import (
    vCalAddress,
    vCategory,
    vDDDLists,
    vDDDTypes,
    vDuration,
    vInt,
    vPeriod,
    vRecur,
    vText,
    vUri,
    vUTCOffset,
)

Moment = datetime | date
"""A naive datetime is local to the zone of its TZID parameter, an aware one is UTC, a date is a whole day."""
Period = tuple[datetime, datetime] | tuple[datetime, timedelta]

_ESCAPE = re.compile(r"\\([\\;,nN\"])")
_TO_ESCAPE = re.compile(r"\r\n|[\\;,\r\n]")
_LISTED_TEXT = re.compile(r"(?:[^\\,]|\\.?)+", re.DOTALL)
_BLANKS = re.compile(r"\s+")
_DATE_TIME = re.compile(r"(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)(\d\d)?(Z)?)?", re.IGNORECASE)


class Text(vText):
    r"""A TEXT value (RFC 5545 section 3.3.11). The library's own reads `\N` inside a text as a line break."""

    def to_ical(self) -> bytes:
        """Return the value escaped."""
        escaped = _TO_ESCAPE.sub(lambda found: "\\n" if found[0] in "\r\n" else f"\\{found[0]}", self)
        return escaped.encode("utf-8", "replace")

    def __deepcopy__(self, memo: dict[int, Any]) -> Text:
        """Return a copy, as the general way makes it, without taking the value apart."""
        return Text(self, params=deepcopy(self.params, memo) if self.params else None)


class Texts(vCategory):
    """A list of TEXT values. The library's own reads a backslash before an N as a line break when it writes."""

    def to_ical(self) -> bytes:
        """Return the values escaped, with commas between them."""
        return b",".join(Text(one).to_ical() for one in self.cats)


def read_value(name: str, parameters: Parameters, text: str) -> Any:
    """Return the value of a property with its parameters. Raises ValueError for what is no such value."""
    try:
        value = _reader(name, str(parameters.get("VALUE", "")).upper())(text)
    except (TypeError, OverflowError, AttributeError) as error:
        raise ValueError(f"{text[:40]!r}: {error}") from error
    if isinstance(value, vDDDTypes | vDDDLists):
        _tell_kind(name, parameters, value.dts[0].dt if value.dts else None)
    value.params = parameters
    return value


def _tell_kind(name: str, parameters: Parameters, value: Any) -> None:
    """Set VALUE to what the value is, where that is not the property's own kind."""
    parameters.pop("VALUE", None)
    if isinstance(value, tuple) and name != "FREEBUSY":
        parameters["VALUE"] = "PERIOD"
    elif isinstance(value, datetime) and name == "TRIGGER":
        parameters["VALUE"] = "DATE-TIME"
    elif isinstance(value, date) and not isinstance(value, datetime):
        parameters["VALUE"] = "DATE"


def _reader(name: str, kind: str) -> Callable[[str], Any]:
    if kind in ("URI", "BINARY"):
        return _uri
    return _READERS.get(name, _text)


def _text(value: str) -> Text:
    return Text(_ESCAPE.sub(lambda found: "\n" if found[1] in "nN" else found[1], value))


def _uri(value: str) -> vUri:
    return vUri(value.strip())


def _address(value: str) -> vCalAddress:
    return vCalAddress(value.strip().strip('"').strip())


def _texts(value: str) -> Texts:
    return Texts([str(_text(found[0].strip())) for found in _LISTED_TEXT.finditer(value) if found[0].strip()])


def _integer(value: str) -> vInt:
    number = int(value.strip()[:12])
    if abs(number) > 2**31 - 1:
        raise ValueError(f"{number} is too large")
    return vInt(number)


def _offset(value: str) -> vUTCOffset:
    return vUTCOffset(vUTCOffset.from_ical(value.strip()))


def _recurrence(value: str) -> vRecur:
    if len(value) > 4096:
        raise ValueError("a rule of more than 4096 characters")
    rule = vRecur(vRecur.from_ical(_BLANKS.sub("", value).strip(";").upper()))
    if "FREQ" not in rule:
        raise ValueError("a rule without FREQ")
    return rule


def read_moment(value: str) -> Moment:
    """Return a date or date-time; a naive one is local. Raises ValueError."""
    found = _DATE_TIME.fullmatch(value.strip())
    if not found:
        raise ValueError(f"{value[:40]!r} is no date")
    year, month, day = (int(number) for number in found.group(1, 2, 3))
    if found[4] is None:
        return date(year, month, day)
    second = min(int(found[6] or 0), 59)  # a leap second is no time to meet
    zone = UTC if found[7] else None
    return datetime(year, month, day, int(found[4]), int(found[5]), second, tzinfo=zone)


def _duration(value: str) -> timedelta:
    duration = vDuration.from_ical(value.strip().upper())
    if not isinstance(duration, timedelta):
        raise ValueError(f"{value[:40]!r} is no duration")
    return duration


def _time(value: str) -> vDDDTypes:
    """Read a date, a date-time, a duration or a period: which it is shows in its form."""
    return vDDDTypes(_time_value(value))


def _time_value(value: str) -> Moment | timedelta | Period:
    text = value.strip()
    if "/" in text:
        return _period(text)
    return _duration(text) if text[:2].upper().lstrip("+-").startswith("P") else read_moment(text)


def _period(value: str) -> Period:
    opening, _, closing = value.partition("/")
    start = read_moment(opening)
    end = _duration(closing) if closing.strip().upper().startswith(("P", "+P")) else read_moment(closing)
    if not isinstance(start, datetime):
        start = datetime(start.year, start.month, start.day)  # local to the property's TZID
    if isinstance(end, timedelta):
        return _writable((start, end))
    return _writable((start, end if isinstance(end, datetime) else datetime(end.year, end.month, end.day)))


def _writable(period: Period) -> Period:
    """Return the period. Raises ValueError or TypeError for one that ends before it starts, or in other time."""
    vPeriod(period)
    return period


def _times(value: str) -> vDDDLists:
    return vDDDLists([_time(one) for one in value.split(",") if one.strip()])


_READERS: dict[str, Callable[[str], Any]] = {
    **dict.fromkeys(("DTSTART", "DTEND", "DUE", "RECURRENCE-ID", "DTSTAMP", "CREATED", "LAST-MODIFIED"), _time),
    **dict.fromkeys(("COMPLETED", "DURATION", "TRIGGER", "ACKNOWLEDGED"), _time),
    **dict.fromkeys(("RDATE", "EXDATE", "FREEBUSY"), _times),
    **dict.fromkeys(("RRULE", "EXRULE"), _recurrence),
    **dict.fromkeys(("SEQUENCE", "PRIORITY", "REPEAT", "PERCENT-COMPLETE"), _integer),
    **dict.fromkeys(("ATTENDEE", "ORGANIZER"), _address),
    **dict.fromkeys(("TZOFFSETFROM", "TZOFFSETTO"), _offset),
    **dict.fromkeys(("ATTACH", "URL", "TZURL", "GEO", "REQUEST-STATUS"), _uri),
    **dict.fromkeys(("CATEGORIES", "RESOURCES"), _texts),
}
