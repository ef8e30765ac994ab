"""Answers of Exchange users to meetings of Notes. Pure.

An answer names UID, RECURRENCE-ID and SEQUENCE as Notes has them, whatever Exchange was told: Notes drops one to
another SEQUENCE as stale. X-LOTUS-NOTICETYPE says what it is; Notes sorts by it.
"""

from __future__ import annotations

from collections.abc import Sequence

from icalendar import Component

from services.transform.calendar.authority import organizer_of
from services.transform.calendar.context import RECURRENCE, MeetingContext, Piece, identify
from services.transform.calendar.memory import recall_answered
from services.transform.calendar.notice import zone_of_meeting
from services.transform.calendar.uids import series_of
from shared.calendar.ical import put_moment, values_of
from shared.calendar.moments import ZoneOf, to_written
from shared.calendar.recurrence import recurrence_id
from shared.calendar.values import Text

METHODS = frozenset(("REPLY", "COUNTER", "REFRESH"))
_COUNTER = "T"
_NOTICE_TYPES = {"ACCEPTED": "A", "DECLINED": "R", "TENTATIVE": "P", "DELEGATED": "D"}


def answer(uid: str, group: Sequence[Component], context: MeetingContext, zone_of: ZoneOf, method: str) -> Piece:
    """Put an answer into the words of the invitation that Notes sent. Raises MalformedCalendar."""
    apart = series_of(uid)  # one instance of a series that Exchange was sent as a meeting of its own
    organizer = organizer_of(group, context.public)
    organizers = [organizer] if organizer else context.recipients
    meeting = apart[0] if apart else uid
    side, organizer_side = context.source, context.destination
    sent = recall_answered(context.recall, side, organizer_side, meeting, organizers, keeps_names=True)
    for one in group:
        slot = apart[1] if apart and sent else recurrence_id(one, zone_of)
        known = None
        if slot is not None:
            known = (sent.by_original(slot) if apart else sent.by_slot(slot)) if sent else None
            zone = zone_of_meeting(group, zone_of)
            put_moment(one, "RECURRENCE-ID", to_written(known.original if known else slot, zone))
        if sent:
            identify(one, sent.uid, known.source_sequence if known else sent.source_sequence)
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
