"""`http`: where a service answers /livez, /readyz and /metrics."""

from __future__ import annotations

from shared.configuration.endpoint import Endpoint, Listen
from shared.configuration.section import Section


class HttpSettings(Section):
    """listen: where a service answers /livez, /readyz and /metrics; null disables them.

    `causeway up` gives each additional service the next port.
    """

    listen: Listen | None = Endpoint("0.0.0.0", 9100)  # noqa: S104 (behind a firewall, as metrics are)
