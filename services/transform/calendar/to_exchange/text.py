"""Bodies and attachments of a Notes calendar entry that are in other parts of the message (RFC 5545 section 3.2.1).

Notes writes `DESCRIPTION;ALTREP="CID:<…@>":` with the text in the MIME part of that Content-ID. Outlook reads the text
in DESCRIPTION and the HTML in X-ALT-DESC. A reference to a part that is not there is dropped.
"""

from __future__ import annotations

from icalendar import Component

from services.transform.calendar.ical import text_of, values_of
from services.transform.calendar.part import with_content_id
from services.transform.calendar.values import Text
from services.transform.tnef.html_text import to_text
from shared.mail.mime import Entity
from shared.mail.transfer import decode_text

_MAX_CHARACTERS = 512 * 1024


def resolve_references(component: Component, content: bytes, root: Entity) -> None:
    """Put what the ALTREPs and ATTACHes of a component point at into it, in place."""
    for name in ("DESCRIPTION", "COMMENT", "SUMMARY", "LOCATION", "CONTACT"):
        for value in values_of(component, name):
            reference = str(value.params.pop("ALTREP", ""))
            if name == "DESCRIPTION" and reference[:4].lower() == "cid:":
                _describe(component, with_content_id(root, reference), content)
        if name in component and not text_of(component, name).strip():
            component.pop(name)
    attachments = values_of(component, "ATTACH")
    if attachments:
        kept = [one for one in attachments if not _is_dangling(str(one), root)]
        component.pop("ATTACH")
        for one in kept:
            component.add("ATTACH", one, encode=False)


def _describe(component: Component, part: Entity | None, content: bytes) -> None:
    if part is None or not part.content_type.startswith("text/"):
        return
    text = decode_text(content, part)[:_MAX_CHARACTERS]
    if part.content_type == "text/html":
        rich = Text(text)
        rich.params["FMTTYPE"] = "text/html"
        component["X-ALT-DESC"] = rich
        text = to_text(text)
    if text.strip() and len(text.strip()) >= len(text_of(component, "DESCRIPTION").strip()):
        component["DESCRIPTION"] = Text(text.strip())


def _is_dangling(reference: str, root: Entity) -> bool:
    return reference[:4].lower() == "cid:" and with_content_id(root, reference) is None
