"""Reasons, each one word to filter and count by: why something became a dead letter, why a client was refused."""

from __future__ import annotations

from typing import Literal, get_args

ParkReason = Literal[
    "crash",
    "poison",
    "malformed",
    "conversion",
    "no_route",
    "no_system",
    "missing_content",
    "refused",
    "expired",
    "undeliverable_report",
]
"""Why a message or delivery is a dead letter.

crash: a bug of the gateway, `max_crashes` times. poison: its worker died or hung each time. malformed: beyond the
limits of the MIME reader. conversion: a step failed. no_route: a recipient has no route, and there is no sender to
report it to. no_system: its source is no longer configured. missing_content: the original is no longer in Redis.
refused: a smart host refused it. expired: not delivered within `give_up`. undeliverable_report: a report was refused.
"""

PARK_REASONS: tuple[ParkReason, ...] = get_args(ParkReason)

RefusalReason = Literal[
    "syntax",
    "sequence",
    "limit",
    "timeout",
    "fault",
    "shutdown",
    "tls",
    "client",
    "route",
    "recipient",
    "recipients",
    "size",
    "bare_newline",
    "loop",
    "spool_full",
    "spool_away",
    "in_flight",
    "handshake",
    "proxy_header",
]
"""Why ingress refused a command, a message or a session: a label of `causeway_messages_refused_total`."""
