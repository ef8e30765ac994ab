"""The conversion steps, one per file. `ORDER` lists them in their order of execution.

Addresses come last: they are rewritten in nearly every message, and a step that changes the text makes the next one
parse it again.
"""

from __future__ import annotations

from services.transform.pipeline import Step
from services.transform.steps import (
    addresses,
    appearance,
    calendar_to_exchange,
    calendar_to_notes,
    charsets,
    dispositions,
    doclinks,
    domino_bounces,
    embedded_images,
    encapsulation,
    friendly_names,
    importance,
    notes_headers,
    outlook_html,
    raw_headers,
    recipient_headers,
    references,
    tnef,
)

ORDER: tuple[Step, ...] = (
    tnef.STEP,
    calendar_to_notes.STEP,
    notes_headers.STEP,
    domino_bounces.STEP,
    encapsulation.STEP,
    calendar_to_exchange.STEP,
    charsets.STEP,
    doclinks.STEP,
    outlook_html.STEP,
    embedded_images.STEP,
    dispositions.STEP,
    appearance.STEP,
    importance.STEP,
    references.STEP,
    raw_headers.STEP,
    friendly_names.STEP,
    recipient_headers.STEP,
    addresses.STEP,
)
