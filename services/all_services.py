"""Every service of the gateway. `causeway up`, the single-service commands and the checks follow this list."""

from __future__ import annotations

from services.egress.service import SERVICE as EGRESS
from services.ingress.service import SERVICE as INGRESS
from services.transform.service import SERVICE as TRANSFORM

SERVICES = (INGRESS, TRANSFORM, EGRESS)
"""In the order in which mail flows, in which they stop. On one machine each has the next port after `http.listen`."""
