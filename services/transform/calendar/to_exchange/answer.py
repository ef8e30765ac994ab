"""Answers of Notes users to meetings of Exchange, in the forms that Exchange takes. Changes what it is given.

- A proposal of another time (COUNTER) names the time that it would replace (X-MS-OLK-ORIGINALSTART and -END, MS-OXCICAL
  section 2.1.3.1.1.20.60); its one ATTENDEE is who proposes, tentatively.
- An answer has one ATTENDEE. Exchange knows no answer "delegated": it is a tentative one, with who comes in COMMENT.
- A withdrawn proposal (DECLINECOUNTER) and a request to be told again (REFRESH) carry no series.
"""

from __future__ import annotations

from datetime import tzinfo

from icalendar import Component

from services.transform.calendar.authority import address_in
from services.transform.calendar.sent import SentInstance, SentMeeting
from services.transform.calendar.to_exchange.zones import ZoneWriter
from shared.calendar.ical import text_of, values_of
from shared.calendar.values import Text

_ANSWERS = frozenset(("REPLY", "COUNTER"))
_TENTATIVE = "TENTATIVE"


def settle_answer(
    component: Component, method: str, sent: SentMeeting | None, instance: SentInstance | None, zone: tzinfo
) -> None:
    """Give an answer the form that Exchange takes. instance: the one it is about, None for all or where unknown."""
    if method == "COUNTER":
        _say_original(component, sent, instance, zone)
    if method in _ANSWERS:
        _keep_answerer(component, method)
    component.pop("STATUS", None)


def _say_original(component: Component, sent: SentMeeting | None, instance: SentInstance | None, zone: tzinfo) -> None:
    alive = sent.alive if sent else ()
    about = instance or (alive[0] if alive else None)
    if about is None:
        return
    writer = ZoneWriter([about.occurrence.start])
    for name, moment in (
        ("X-MS-OLK-ORIGINALSTART", about.occurrence.start),
        ("X-MS-OLK-ORIGINALEND", about.occurrence.end),
    ):
        writer.put(component, name, moment, zone)


def _keep_answerer(component: Component, method: str) -> None:
    people = values_of(component, "ATTENDEE")
    if not people:
        return
    delegating = [one for one in people if str(one.params.get("PARTSTAT", "")).upper() == "DELEGATED"]
    answering = (delegating or people)[0]
    if delegating:
        delegates = answering.params.pop("DELEGATED-TO", "")
        names = [address_in(one) for one in (delegates if isinstance(delegates, list) else [delegates])]
        said = f"Delegated to {', '.join(filter(None, names))}" if any(names) else "Delegated"
        comment = text_of(component, "COMMENT").strip()
        component["COMMENT"] = Text(f"{said}\n{comment}" if comment else said)
    if delegating or method == "COUNTER":
        answering.params["PARTSTAT"] = _TENTATIVE
    component["ATTENDEE"] = answering
