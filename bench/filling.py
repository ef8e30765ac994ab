"""Fills a spool with mail that waits, by the operations of the services themselves, many in one round trip."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import replace

from bench import messages
from services.transform.settlement import settlement_of
from shared.configuration.settings import Settings
from shared.history.attempt import attempted
from shared.mail.envelope import Client, Envelope, Message, Recipient, new_message_id
from shared.routing.router import Router
from shared.spool.accept import accept_all
from shared.spool.lease import LeasedDelivery, LeasedMessage, lease_deliveries, lease_messages
from shared.spool.operation import Spool
from shared.spool.settlement import NewDelivery, Retry, Transformed
from shared.spool.write_settlements import write_settlements

AT_ONCE = 500
LEASE_SECONDS = 60.0
FAR_AWAY_SECONDS = 30 * 86_400.0
SMALL = (messages.EXCHANGE_HEADER + f"\r\n{messages.text(500, random.Random(0))}").encode()
"""A small message from Exchange's side; how long it is, is what a waiting message's content takes."""


def accept_many(spool: Spool, count: int) -> None:
    """Queue `count` small messages from Exchange's side for transform."""
    for first in range(0, count, AT_ONCE):
        spool.run(accept_all([_small(number) for number in range(first, min(first + AT_ONCE, count))]))


def _small(number: int) -> Message:
    now = time.time()
    recipient, client = Recipient("anna.schmidt@example.com"), Client("127.0.2.1", "exchange.example.com")
    envelope = Envelope(new_message_id(now), messages.INTERNAL_JOHN, (recipient,), "exchange", client, now)
    return Message(envelope, messages.numbered(SMALL, number))


def postpone_many(spool: Spool, settings: Settings, router: Router) -> None:
    """Make a delivery of every message that waits for transform, and postpone it for a month, as one that was deferred.

    The first is really converted; the others, which are like it, get its delivery and its edits.
    """
    history_seconds = settings.redis.history.total_seconds()
    model: NewDelivery | None = None
    for leased in _leased(spool):
        model = model or _model(leased[0], settings, router)
        converted = [Transformed(job.lease, (_like(model, job),)) for job in leased]
        spool.run(write_settlements(converted, max_crashes=3, history_seconds=history_seconds))
        deliveries = spool.run(
            lease_deliveries("notes", "bench", max_jobs=len(leased), max_bytes=1 << 40, seconds=LEASE_SECONDS)
        )
        deferred = [_deferred(leased_delivery) for leased_delivery in deliveries]
        spool.run(write_settlements(deferred, max_crashes=3, history_seconds=history_seconds))


def _deferred(leased: LeasedDelivery) -> Retry:
    after = replace(leased.delivery, attempts=1)
    outcomes = attempted(leased.delivery, after, time.time(), FAR_AWAY_SECONDS)
    return Retry(leased.lease, FAR_AWAY_SECONDS, after, outcomes=outcomes)


def _leased(spool: Spool) -> Iterator[list[LeasedMessage]]:
    while leased := spool.run(lease_messages("bench", max_jobs=AT_ONCE, max_bytes=1 << 40, seconds=LEASE_SECONDS)):
        yield leased


def _model(leased: LeasedMessage, settings: Settings, router: Router) -> NewDelivery:
    settlement = settlement_of(leased, messages.numbered(SMALL, 0), router, settings, now=time.time())
    if not isinstance(settlement, Transformed):
        raise RuntimeError(f"the small message is not converted: {settlement}")
    return settlement.deliveries[0]


def _like(model: NewDelivery, leased: LeasedMessage) -> NewDelivery:
    id = leased.lease.id
    return replace(model, delivery=replace(model.delivery, id=f"{id}-notes", message_id=id))
