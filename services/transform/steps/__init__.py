"""One conversion a file. `ORDER` lists them as they run.

Addresses come last: they are rewritten in nearly every message, and a step that changes the text makes the next one
parse it again.
"""

from __future__ import annotations

from services.transform.pipeline import Step
from services.transform.steps import addresses, encapsulation, notes_headers

ORDER: tuple[Step, ...] = (notes_headers.STEP, encapsulation.STEP, addresses.STEP)
