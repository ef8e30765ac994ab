"""Bodies and attachments of a Notes calendar entry that are in other parts of the message (RFC 5545 section 3.2.1).

Notes writes `DESCRIPTION;ALTREP="CID:<…@>":` with the text in the MIME part of that Content-ID. Outlook reads the text
in DESCRIPTION and the HTML in X-ALT-DESC. A reference to a part that is not there is dropped.
"""

from __future__ import annotations

from icalendar import Component

from services.transform.calendar.related import RelatedParts
from shared.calendar.ical import text_of, values_of
from shared.calendar.values import Text


def resolve_references(component: Component, parts: RelatedParts) -> None:
    """Put what the ALTREPs and ATTACHes of a component point at into it, in place."""
    for name in ("DESCRIPTION", "COMMENT", "SUMMARY", "LOCATION", "CONTACT"):
        for value in values_of(component, name):
            reference = str(value.params.pop("ALTREP", ""))
            if name == "DESCRIPTION" and reference[:4].lower() == "cid:":
                _describe(component, reference, parts)
        if name in component and not text_of(component, name).strip():
            component.pop(name)
    attachments = values_of(component, "ATTACH")
    if attachments:
        kept = [one for one in attachments if not _is_dangling(str(one), parts)]
        component.pop("ATTACH")
        for one in kept:
            component.add("ATTACH", one, encode=False)


def _describe(component: Component, reference: str, parts: RelatedParts) -> None:
    part = parts.find(reference)
    if part is None or not part.content_type.startswith("text/"):
        return
    text, plain = parts.text(part)
    if not text:
        return
    if part.content_type == "text/html":
        rich = Text(text)
        rich.params["FMTTYPE"] = "text/html"
        component["X-ALT-DESC"] = rich
    if plain.strip() and len(plain.strip()) >= len(text_of(component, "DESCRIPTION").strip()):
        component["DESCRIPTION"] = Text(plain.strip())


def _is_dangling(reference: str, parts: RelatedParts) -> bool:
    return reference[:4].lower() == "cid:" and parts.find(reference) is None
