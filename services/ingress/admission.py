"""Whether ingress accepts mail now: decisions over values, without I/O."""

from __future__ import annotations

from dataclasses import dataclass

from services.ingress import replies
from services.ingress.replies import Refusal
from shared.configuration.ingress import IngressSettings
from shared.configuration.redis import RedisSettings
from shared.routing.route import NoRoute, Route

STALE_SECONDS = 10.0
"""An older reading is worthless: the spool counts as unavailable."""


@dataclass(frozen=True, slots=True)
class Load:
    """The spool as it was read. at: monotonic seconds. problem: why it is unavailable or not durable enough, else "".

    memory_fraction: of what Redis may use. depth: ready jobs of all stages. server: the run id of the Redis it is of.
    """

    at: float
    problem: str
    memory_fraction: float = 0.0
    depth: int = 0
    server: str = ""


def admit(load: Load, now: float, settings: RedisSettings) -> Refusal | None:
    """Return the refusal while the spool cannot accept mail. now: monotonic seconds."""
    if load.problem or now - load.at > STALE_SECONDS:
        return replies.SPOOL_UNAVAILABLE
    if load.memory_fraction > settings.max_memory_fraction or load.depth > settings.max_queue_depth:
        return replies.SPOOL_FULL
    return None


def admit_recipient(route: Route | NoRoute) -> tuple[Refusal, str] | None:
    """Return the refusal of a recipient and its cause for the log; None for one who is accepted.

    One without a route is refused, and so is one whom the home system does not have (`recipients: mapped`): at RCPT, so
    that no report is sent about mail with a forged sender.
    """
    if isinstance(route, NoRoute):
        return (replies.UNKNOWN_RECIPIENT if route.is_unknown else replies.RELAY_ACCESS_DENIED), route.reason
    return (replies.UNKNOWN_RECIPIENT, route.unknown) if route.unknown else None


def admit_size(size: int, settings: IngressSettings) -> Refusal | None:
    """Return the refusal of a message of `size` bytes, declared or received (RFC 1870)."""
    return replies.TOO_LARGE if size > settings.max_message_bytes else None


def client_share(settings: IngressSettings) -> int:
    """Return how many bytes of messages one client may have coming in: half of all, and one message of any size."""
    return max(settings.max_bytes_in_flight // 2, settings.max_message_bytes)


def admit_hops(received: int, own: int, settings: IngressSettings) -> Refusal | None:
    """Return the refusal of a message that has passed too many hosts, or this one too often (RFC 5321 section 6.3)."""
    if received > settings.max_received_headers or own > settings.max_own_received_headers:
        return replies.TOO_MANY_HOPS
    return None
