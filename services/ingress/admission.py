"""Whether ingress takes mail now: decisions over values, no input or output."""

from __future__ import annotations

from dataclasses import dataclass

from services.ingress import replies
from services.ingress.replies import Refusal
from shared.configuration.ingress import IngressSettings
from shared.configuration.redis import RedisSettings

STALE_SECONDS = 10.0
"""A reading older than this says nothing: the spool counts as away."""


@dataclass(frozen=True, slots=True)
class Load:
    """The spool as it was read. at: monotonic seconds. problem: why it is away or too weak, "" when it is neither.

    memory_fraction: of what Redis may use. depth: ready jobs of all stages. server: the run id of the Redis it is of.
    """

    at: float
    problem: str
    memory_fraction: float = 0.0
    depth: int = 0
    server: str = ""


def admit(load: Load, now: float, settings: RedisSettings) -> Refusal | None:
    """Return the refusal while the spool cannot take mail. now: monotonic seconds."""
    if load.problem or now - load.at > STALE_SECONDS:
        return replies.SPOOL_AWAY
    if load.memory_fraction > settings.max_memory_fraction or load.depth > settings.max_queue_depth:
        return replies.SPOOL_FULL
    return None


def admit_size(octets: int, settings: IngressSettings) -> Refusal | None:
    """Return the refusal of a message of so many octets, declared or counted (RFC 1870)."""
    return replies.TOO_LARGE if octets > settings.max_message_bytes else None


def client_share(settings: IngressSettings) -> int:
    """Return how many bytes of messages one client may have coming in: half of all, and one message of any size."""
    return max(settings.max_bytes_in_flight // 2, settings.max_message_bytes)


def admit_hops(received: int, own: int, settings: IngressSettings) -> Refusal | None:
    """Return the refusal of a message that has come by too many hosts, or by us too often (RFC 5321 section 6.3)."""
    if received > settings.max_received_headers or own > settings.max_own_received_headers:
        return replies.MAIL_LOOP
    return None
