"""The destination and the forms of an address, with the rules that applied. Pure; `causeway explain` prints it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from shared.mail.address import Address
from shared.routing.route import NoRoute
from shared.routing.router import Router


@dataclass(frozen=True, slots=True)
class Explanation:
    """What the gateway does with one address in mail from one system.

    public: its public form. is_internal: whether it would leak if left unchanged. owner: its home system.
    system: the destination of mail to it, None where it is not routed. delivered_to: the address for RCPT TO. map_line:
    its line in the address map. rules: those that applied, in order. refused: why ingress refuses it, None if it is
    accepted. is_address: whether it is a valid Internet address as it stands.
    """

    address: str
    source: str
    is_address: bool
    public: str
    is_internal: bool
    owner: str | None
    map_line: int | None
    system: str | None
    delivered_to: str | None
    rules: tuple[str, ...]
    refused: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the explanation as JSON-ready data."""
        return {**asdict(self), "rules": list(self.rules)}


def explain(address: str, source: str, router: Router) -> Explanation:
    """Explain an address in mail from the system named `source`; any text can be explained."""
    found = router.recognize(address)
    route = router.route(address, source)
    refused = route.reason if isinstance(route, NoRoute) else route.unknown or None
    return Explanation(
        address=address,
        source=source,
        is_address=Address.is_valid(address),
        public=router.public(address),
        is_internal=router.is_internal(address),
        owner=found.owner.name if found.owner else None,
        map_line=found.pair.line if found.pair else None,
        system=None if isinstance(route, NoRoute) else route.system,
        delivered_to=None if isinstance(route, NoRoute) else route.address,
        rules=route.why,
        refused=refused,
    )
