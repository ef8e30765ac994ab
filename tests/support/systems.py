"""Two mail systems that share one public domain, as an organisation in the middle of a migration has them."""

from __future__ import annotations

from shared.configuration.systems import System

NOTES = System(
    name="notes",
    kind="domino",
    domains=["notes.example.com"],
    public_domain="example.com",
    default_route="exchange",
    encapsulation="keep",
)
EXCHANGE = System(
    name="exchange",
    kind="exchange",
    domains=["exchange.example.com"],
    public_domain="example.com",
    default_route="notes",
    encapsulation="strip",
)
