"""What cancels a meeting that Notes has under a UID which is used no longer. Pure."""

from __future__ import annotations

from copy import deepcopy

from icalendar import Calendar, Component

from services.transform.calendar.context import RECURRENCE, identify
from services.transform.calendar.sent import Replaced, in_order
from services.transform.calendar.to_notes.series import future_form
from shared.calendar.ical import PRODID, put_moment
from shared.calendar.values import Text


def cancellation(replaced: Replaced, master: Component) -> Calendar:
    """Return the calendar that cancels what was sent under the UID before.

    master: of the meeting as it goes on, from which people and words are taken. It bears our PRODID, by which it is
    known to be in Notes' form already when it is sent.
    """
    event = deepcopy(master)
    for name in (*RECURRENCE, "DESCRIPTION", "X-ALT-DESC", "DURATION"):
        event.pop(name, None)
    event.subcomponents.clear()
    instances = list(in_order(replaced.instances))
    put_moment(event, "DTSTART", instances[0].occurrence.start)
    put_moment(event, "DTEND", instances[0].occurrence.end)
    event["STATUS"] = Text("CANCELLED")
    identify(event, replaced.uid, replaced.sequence)
    calendar = Calendar()
    for name, value in (("PRODID", PRODID), ("VERSION", "2.0"), ("METHOD", "CANCEL")):
        calendar[name] = Text(value)
    calendar.add_component(future_form(event, instances) if replaced.is_series else event)
    return calendar
