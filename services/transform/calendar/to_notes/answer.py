"""Answers of Exchange users to meetings of Notes. Pure.

An answer names UID, RECURRENCE-ID and SEQUENCE as Notes has them, whatever Exchange was told: Notes drops one to
another SEQUENCE as stale. X-LOTUS-NOTICETYPE says what it is; Notes sorts by it.
"""

from __future__ import annotations

from collections.abc import Sequence

from icalendar import Component

from services.transform.calendar.known import RECURRENCE, Known, Piece, Situation, identify
from services.transform.calendar.series import series_of
from shared.calendar.ical import put_moment, values_of
from shared.calendar.moments import ZoneOf
from shared.calendar.recurrence import recurrence_id
from shared.calendar.values import Text

METHODS = frozenset(("REPLY", "COUNTER", "REFRESH"))
_COUNTER = "T"
_NOTICE_TYPES = {"ACCEPTED": "A", "DECLINED": "R", "TENTATIVE": "P", "DELEGATED": "D"}


def answer(uid: str, group: Sequence[Component], situation: Situation, zone_of: ZoneOf, method: str) -> Piece:
    """Put an answer into the words of the invitation that Notes sent. Raises MalformedCalendar."""
    apart = series_of(uid)  # one instance of a series that Exchange was told as a meeting of its own
    known = Known.of(situation, situation.source, apart[0] if apart else uid)
    series = known.series
    for one in group:
        slot = apart[1] if apart and series else recurrence_id(one, zone_of)
        if slot is not None:
            told = known.by_slot(slot)
            put_moment(one, "RECURRENCE-ID", told.original if told else slot)
        if series:
            identify(one, series.uid, series.source_sequence)
        if method == "REPLY":
            for name in RECURRENCE:
                one.pop(name, None)
        if notice := _COUNTER if method == "COUNTER" else _notice_type(one):
            one["X-LOTUS-NOTICETYPE"] = Text(notice)
    return Piece(group)


def _notice_type(reply: Component) -> str | None:
    """Return the notice type by what the one who answers says; None for a request to be told again."""
    people = values_of(reply, "ATTENDEE")
    status = str(people[0].params.get("PARTSTAT", "")).upper() if len(people) == 1 else ""
    return _NOTICE_TYPES.get(status)
