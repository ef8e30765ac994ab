"""The next hops of a system as `causeway explain` shows them, MX records resolved."""

from __future__ import annotations

from dataclasses import dataclass

from shared.configuration.endpoint import Endpoint
from shared.configuration.settings import Settings
from shared.mail.reply import Reply
from shared.runtime.extras import needs_extra


@dataclass(frozen=True, slots=True)
class NextHop:
    """One host that the mail would be offered to. share: its part of the mail within its preference while all are up.

    max_connections, messages_per_minute: of all egress replicas together; None for no limit.
    """

    host: str
    port: int
    preference: int
    weight: int
    share: float
    tls: str
    max_connections: int | None
    messages_per_minute: int | None

    @property
    def endpoint(self) -> Endpoint:
        """Where it is."""
        return Endpoint(self.host, self.port)

    @property
    def limits(self) -> str:
        """The limits in words; "-" for none."""
        connections = f"{self.max_connections} connections" if self.max_connections else ""
        messages = f"{self.messages_per_minute} messages/min" if self.messages_per_minute else ""
        return ", ".join(filter(None, (connections, messages))) or "-"


def next_hops_of(settings: Settings, system: str) -> tuple[list[NextHop], str | None]:
    """Return the next hops of a system, best first, or the reason why there is none."""
    with needs_extra("egress"):
        from services.egress.app import next_hops
    tiers = next_hops(settings, system)
    if isinstance(tiers, Reply):
        return [], str(tiers)
    return [
        NextHop(
            host.name,
            host.port,
            host.preference,
            host.weight,
            _share(host.weight, [other.weight for other in tier]),
            host.settings.tls + (", implicit" if host.settings.implicit else ""),
            host.settings.max_connections,
            host.settings.messages_per_minute,
        )
        for tier in tiers
        for host in tier
    ], None


def _share(weight: int, weights: list[int]) -> float:
    return weight / sum(weights) if any(weights) else 1 / len(weights)
