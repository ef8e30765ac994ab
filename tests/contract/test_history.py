"""The contract of a history: it holds what is logged, after the write, and nothing of a stale settlement."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import redis

from shared.history.attempt import attempted
from shared.history.base import HistoryEvent
from shared.history.delivery import DeliveryDiscarded, DeliveryParked, DeliveryReplayed
from shared.history.message import MessageAccepted, MessageParked, message_accepted
from shared.mail.reply import Reply
from shared.spool import keys
from shared.spool.accept import accept
from shared.spool.dead_letters import discard, list_dead, replay
from shared.spool.history import read_history
from shared.spool.lease import LeasedDelivery, LeasedMessage, lease_deliveries, lease_messages
from shared.spool.settlement import Crashed, Finished, NewDelivery, Parked, Retry, Settlement, Transformed
from shared.spool.upkeep import promote, reclaim
from shared.spool.write_settlements import log_settlement, write_settlements
from tests.contract.conftest import Run
from tests.support.mail import delivery, message

REFUSED, LATER = Reply(550, "no such user", "5.1.1"), Reply(452, "try later", "4.3.1")
LEASE: dict[str, Any] = {"max_jobs": 10, "max_bytes": 10**9, "seconds": 30}


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    with caplog.at_level(logging.INFO, "causeway"):
        yield caplog


def lease_one(run: Run) -> LeasedMessage:
    run(accept(message()))
    leased: LeasedMessage
    [leased] = run(lease_messages("test", **LEASE))
    return leased


def convert_one(run: Run) -> LeasedDelivery:
    leased = lease_one(run)
    run(write_settlements([Transformed(leased.lease, (NewDelivery(delivery(leased.envelope), ()),))]))
    converted: LeasedDelivery
    [converted] = run(lease_deliveries("exchange", "test", **LEASE))
    return converted


def write(run: Run, settlement: Settlement, max_crashes: int = 3) -> None:
    """Write a settlement and log it, as a worker does."""
    written = run(write_settlements([settlement], max_crashes=max_crashes))
    log_settlement(settlement, written.get(settlement.lease.id))


def logged(log: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [{"event": record.getMessage(), **record.__dict__["event_fields"]} for record in log.records]


def history(run: Run, id: str) -> list[HistoryEvent]:
    events: list[HistoryEvent] = run(read_history(id.partition("-")[0]))
    return events


def names(run: Run, id: str) -> list[str]:
    return [event.name for event in history(run, id)]


def outcome(leased: LeasedDelivery, state: Any, reply: Reply) -> Parked | Finished | Retry:
    """Return the settlement of an attempt with one outcome for all recipients."""
    before = leased.delivery
    recipients = tuple(
        replace(recipient, state=state, reply=reply, host="mx.example.com:25") for recipient in before.recipients
    )
    after = replace(before, recipients=recipients, attempts=before.attempts + 1)
    events = attempted(before, after, time.time(), 300.0 if state == "pending" else None)
    if state == "pending":
        return Retry(leased.lease, 300.0, after, outcomes=events)
    if state == "refused":
        return Parked(leased.lease, "refused", str(reply), after, outcomes=events)
    return Finished(leased.lease, after, outcomes=events)


def test_what_is_logged_of_a_settlement_is_what_its_history_holds(
    run: Run, redis_client: redis.Redis, log: pytest.LogCaptureFixture
) -> None:
    leased = lease_one(run)
    write(run, Transformed(leased.lease, (NewDelivery(delivery(leased.envelope), ()),)))
    for state, reply in (("pending", LATER), ("refused", REFUSED)):
        [attempt] = run(lease_deliveries("exchange", "test", **LEASE))
        write(run, outcome(attempt, state, reply))
        redis_client.zadd(keys.rq_scheduled(attempt.lease.queue), {attempt.lease.id: 1}, xx=True)
        run(promote(attempt.lease.queue))
    first, *events = history(run, leased.lease.id)
    assert first == message_accepted(leased.envelope, leased.size)
    assert [event.name for event in events] == [
        "message.converted",
        "delivery.deferred",
        "delivery.refused",
        "delivery.parked",
    ]
    assert logged(log) == [json.loads(event.to_json()) for event in events]


def test_a_dead_letter_is_one_event_with_its_reason(run: Run, log: pytest.LogCaptureFixture) -> None:
    leased = lease_one(run)
    write(run, Parked(leased.lease, "malformed", "too deep"))
    [_, parked] = history(run, leased.lease.id)
    assert isinstance(parked, MessageParked)
    assert (parked.reason, parked.detail) == ("malformed", "too deep")
    assert [record.getMessage() for record in log.records] == ["message.parked"]


@pytest.mark.parametrize("kind", ["message", "delivery"])
def test_a_stale_settlement_leaves_no_event_but_that_it_was_stale(
    run: Run, log: pytest.LogCaptureFixture, kind: str
) -> None:
    leased = lease_one(run) if kind == "message" else convert_one(run)
    lost = replace(leased.lease, token="another")
    before = names(run, lost.id)
    error = ValueError("a bug")
    for settlement in (Parked(lost, "malformed", ""), Retry(lost, 60), Crashed(lost, "ValueError: a bug", error)):
        write(run, settlement)
    assert names(run, lost.id) == before
    assert [record.getMessage() for record in log.records] == [f"{kind}.stale"] * 3
    assert [bool(record.exc_info) for record in log.records] == [False, False, True], "no traceback of a bug is lost"


@pytest.mark.parametrize("kind", ["message", "delivery"])
def test_the_crash_that_was_one_too_many_is_logged_as_a_dead_letter_too(
    run: Run, redis_client: redis.Redis, log: pytest.LogCaptureFixture, kind: str
) -> None:
    leased = lease_one(run) if kind == "message" else convert_one(run)
    write(run, Crashed(leased.lease, "ValueError: a bug", ValueError("a bug")), max_crashes=2)
    assert run(list_dead()) == []
    redis_client.zadd(keys.rq_scheduled(leased.lease.queue), {leased.lease.id: 1}, xx=True)
    run(promote(leased.lease.queue))
    lease = lease_messages("test", **LEASE) if kind == "message" else lease_deliveries("exchange", "test", **LEASE)
    [again] = run(lease)
    write(run, Crashed(again.lease, "ValueError: a bug", ValueError("a bug")), max_crashes=2)
    assert [letter.reason for letter in run(list_dead())] == ["crash"]
    ending = [f"{kind}.crashed", f"{kind}.crashed", f"{kind}.parked"]
    assert names(run, leased.lease.id)[-3:] == ending
    assert [record.getMessage() for record in log.records] == ending
    assert [bool(record.exc_info) for record in log.records] == [True, True, False]


@pytest.mark.parametrize("kind", ["message", "delivery"])
def test_reclaiming_returns_the_events_that_it_wrote(run: Run, redis_client: redis.Redis, kind: str) -> None:
    leased = lease_one(run) if kind == "message" else convert_one(run)
    queue = leased.lease.queue
    before = len(history(run, leased.lease.id))
    now = float(redis_client.time()[0])
    redis_client.zadd(keys.rq_started(queue), {f"{leased.lease.id}:{leased.lease.token}": 1})
    redis_client.hset(keys.tick(queue), mapping={"last": now, "since": now - 1000})
    events = run(reclaim(queue, max_crashes=1, lease_seconds=30))
    assert history(run, leased.lease.id)[before:] == events
    assert [(event.name, event.id) for event in events] == [
        (f"{kind}.interrupted", leased.lease.id),
        (f"{kind}.parked", leased.lease.id),
    ]
    assert isinstance(events[1], MessageParked | DeliveryParked)
    assert events[1].reason == "poison"


def test_what_an_administrator_does_with_a_dead_letter_is_in_the_history(run: Run, redis_client: redis.Redis) -> None:
    leased = convert_one(run)
    for start in ("delivery", "start"):
        write(run, outcome(leased, "refused", REFUSED))
        [letter] = run(list_dead())
        run(replay(letter, start))
        if start == "delivery":
            [leased] = run(lease_deliveries("exchange", "test", **LEASE))
    [again] = run(lease_messages("test", **LEASE))
    write(run, Parked(again.lease, "conversion", "a step failed"))
    assert run(discard(again.lease.id))
    events = history(run, leased.lease.id)
    assert [event.start for event in events if isinstance(event, DeliveryReplayed)] == ["delivery", "start"]
    assert {event.id for event in events if isinstance(event, DeliveryReplayed | DeliveryParked)} == {leased.lease.id}
    assert events[-1].name == "message.discarded"


def test_a_delivery_is_discarded_under_its_own_id(run: Run) -> None:
    leased = convert_one(run)
    write(run, outcome(leased, "refused", REFUSED))
    assert run(discard(leased.lease.id))
    last = history(run, leased.lease.id)[-1]
    assert (type(last), last.id) == (DeliveryDiscarded, leased.lease.id)


def test_a_report_is_accepted_for_the_delivery_that_it_reports_on(run: Run, log: pytest.LogCaptureFixture) -> None:
    leased, report = convert_one(run), message()
    write(run, Finished(leased.lease, leased.delivery, reports=(report,)))
    [accepted] = history(run, report.envelope.id)
    assert isinstance(accepted, MessageAccepted)
    assert accepted.parent == leased.lease.id
    assert logged(log) == [json.loads(accepted.to_json())]


def test_an_event_of_a_newer_release_hides_no_other(run: Run, redis_client: redis.Redis) -> None:
    leased = lease_one(run)
    redis_client.rpush(keys.history(leased.lease.id), '{"event":"message.teleported","at":1}')
    write(run, Parked(leased.lease, "malformed", ""))
    assert names(run, leased.lease.id) == ["message.accepted", "message.parked"]
