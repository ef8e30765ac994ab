"""Leases: a worker takes a batch of jobs for a limited time, renews them, and releases the jobs that it did not do.

RQ's started registry holds the lease as "job:token"; the record holds the token. Only its holder may settle.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from shared.mail.delivery import Delivery, DeliveryRecipient
from shared.mail.edits import Edit, decode
from shared.mail.envelope import Envelope
from shared.spool import keys
from shared.spool.operation import Batch, Command, Operation, Script


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on one job. crashes: how often this job has killed its worker or raised so far."""

    queue: str
    id: str
    token: str
    crashes: int


@dataclass(frozen=True, slots=True)
class LeasedMessage:
    """A message to convert. The envelope holds only the recipients that are still open; size in bytes."""

    lease: Lease
    envelope: Envelope
    size: int


@dataclass(frozen=True, slots=True)
class LeasedDelivery:
    """A delivery to attempt, with the edits that its content needs."""

    lease: Lease
    delivery: Delivery
    edits: tuple[Edit, ...]


def _reopened(recipient: DeliveryRecipient) -> DeliveryRecipient:
    if recipient.state == "delivered":
        return recipient
    return replace(recipient, state="pending", reply=None, host=None, ambiguous=False)


def reopen(delivery: Delivery, now: float) -> Delivery:
    """Return a replayed delivery: created now, and open for all recipients that do not yet have the message."""
    return replace(
        delivery,
        recipients=tuple(_reopened(recipient) for recipient in delivery.recipients),
        created_at=now,
        attempts=0,
        next_attempt_at=None,
        delay_reported=False,
    )


def _message(row: Sequence[Any], token: str) -> LeasedMessage:
    id, crashes, size, envelope, again, _ = row
    restored = Envelope.from_json(envelope)
    if again:
        wanted = set(json.loads(again))
        open_recipients = tuple(recipient for recipient in restored.recipients if recipient.address in wanted)
        restored = replace(restored, recipients=open_recipients)
    return LeasedMessage(Lease(keys.TRANSFORM, id.decode(), token, int(crashes)), restored, int(size))


def _delivery(queue: str, row: Sequence[Any], token: str) -> LeasedDelivery:
    id, crashes, _, delivery, edits, reopening = row
    restored = replace(Delivery.from_json(delivery), id=id.decode())
    if reopening:
        restored = reopen(restored, time.time())
    return LeasedDelivery(Lease(queue, id.decode(), token, int(crashes)), restored, decode(edits))


def _lease(queue: str, lessee: str, max_jobs: int, max_bytes: int, seconds: float) -> Operation[tuple[str, list[Any]]]:
    token = f"{lessee}.{secrets.token_hex(6)}"
    rows = yield Script("lease", (queue, token, max_jobs, max_bytes, seconds, lessee))
    return token, rows


def lease_messages(lessee: str, *, max_jobs: int, max_bytes: int, seconds: float) -> Operation[list[LeasedMessage]]:
    """Lease up to `max_jobs` messages for `seconds`; at least one message, whatever its size.

    A message that crashed its worker before is leased alone. Nothing is leased while RQ is suspended (`rq suspend`).
    """
    token, rows = yield from _lease(keys.TRANSFORM, lessee, max_jobs, max_bytes, seconds)
    return [_message(row, token) for row in rows]


def lease_deliveries(
    system: str, lessee: str, *, max_jobs: int, max_bytes: int, seconds: float
) -> Operation[list[LeasedDelivery]]:
    """Lease deliveries to one system, as `lease_messages` does."""
    queue = keys.egress(system)
    token, rows = yield from _lease(queue, lessee, max_jobs, max_bytes, seconds)
    return [_delivery(queue, row, token) for row in rows]


def claim_message(message_id: str, execution: str) -> Operation[LeasedMessage | None]:
    """Return the message of a job that a stock RQ worker runs as `execution`, or None if there is nothing to do."""
    row = yield Script("claim", (keys.TRANSFORM, message_id, execution))
    return _message(row, execution) if row else None


def claim_delivery(delivery_id: str, system: str, execution: str) -> Operation[LeasedDelivery | None]:
    """Return the delivery of a job that a stock RQ worker runs as `execution`, or None if there is nothing to do."""
    queue = keys.egress(system)
    row = yield Script("claim", (queue, delivery_id, execution))
    return _delivery(queue, row, execution) if row else None


def _flat(leases: Sequence[Lease]) -> list[str]:
    return [part for lease in leases for part in (lease.queue, lease.id, lease.token)]


def renew(leases: Sequence[Lease], seconds: float) -> Operation[frozenset[str]]:
    """Extend leases to `seconds` from now; return the ids of lost leases, whose work must stop."""
    if not leases:
        return frozenset()
    lost = yield Script("renew", (seconds, *_flat(leases)))
    return frozenset(id.decode() for id in lost)


def release(leases: Sequence[Lease]) -> Operation[None]:
    """Return jobs to the head of their queues at once; no crash is counted."""
    if leases:
        yield Script("release", tuple(_flat(leases)))


def wait_for_work(queues: Sequence[str], seconds: float) -> Operation[bool]:
    """Wait until one of the queues may have work, at most `seconds`; return whether it may.

    `seconds` stays below the client's timeout (`redis.timeout`).
    """
    answer = yield Command("BLPOP", (*map(keys.wake, queues), seconds))
    return answer is not None


def contents(message_ids: Sequence[str]) -> Operation[list[bytes | None]]:
    """Return the original bytes of messages, None for a message that no longer exists."""
    if not message_ids:
        return []
    answers: list[bytes | None] = yield Batch([Command("GET", (keys.content(id),)) for id in message_ids])
    return answers
