"""What every spool promises, synchronous or not, on a real Redis, seen also through RQ's own eyes."""

from __future__ import annotations

import asyncio
import resource
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from types import FrameType
from typing import Any, TypeVar

import pytest
import redis
import uvloop
from rq import Queue
from rq.job import Job, JobStatus
from rq.registry import FailedJobRegistry, ScheduledJobRegistry, StartedJobRegistry
from rq.serializers import JSONSerializer

from shared.configuration.redis import RedisSettings
from shared.errors import SpoolFull, SpoolTooWeak, SpoolUnavailable
from shared.mail.edits import Edit
from shared.mail.envelope import Message
from shared.mail.reply import Reply
from shared.spool import keys
from shared.spool.accept import accept, accept_all
from shared.spool.connect import open_async_spool, open_spool
from shared.spool.dead_letters import Filter, discard, list_dead, replay, show_dead
from shared.spool.gauge import gauge_queue, gauge_spool
from shared.spool.history import read_history
from shared.spool.lease import (
    LeasedDelivery,
    LeasedMessage,
    claim_message,
    contents,
    lease_deliveries,
    lease_messages,
    release,
    renew,
    wait_for_work,
)
from shared.spool.memory import Memory, Remember, recall
from shared.spool.operation import Command, Operation, Script, source
from shared.spool.presence import Shift, announce, retire
from shared.spool.retries import flush_retries, list_retries
from shared.spool.schedule import UpkeepSchedule
from shared.spool.settlement import Crashed, Finished, NewDelivery, Parked, Retry, Settlement, Transformed
from shared.spool.upkeep import promote, reclaim, reconcile
from shared.spool.write_settlements import write_settlements
from tests.contract.conftest import Run
from tests.support.mail import CONTENT, delivery, message

T = TypeVar("T")


def lease_all(run: Run, seconds: float = 30) -> list[LeasedMessage]:
    leased: list[LeasedMessage] = run(lease_messages("test", max_jobs=100, max_bytes=10**9, seconds=seconds))
    return leased


def lease_exchange(run: Run, seconds: float = 30) -> list[LeasedDelivery]:
    leased: list[LeasedDelivery] = run(
        lease_deliveries("exchange", "test", max_jobs=100, max_bytes=10**9, seconds=seconds)
    )
    return leased


def transformed(leased: LeasedMessage, *edits: Edit) -> Transformed:
    return Transformed(leased.lease, (NewDelivery(delivery(leased.envelope), edits),))


def accepted(run: Run, count: int = 1, **values: Any) -> list[Message]:
    messages = [message(**values) for _ in range(count)]
    for received in messages:
        run(accept(received))
    return messages


def converted(run: Run, count: int = 1) -> list[LeasedDelivery]:
    """Accept, convert and lease deliveries."""
    accepted(run, count)
    run(write_settlements([transformed(job) for job in lease_all(run)]))
    return lease_exchange(run)


def let_leases_expire(run: Run, client: redis.Redis, queue: str) -> None:
    """Age every lease of the queue, as if its workers had been silent, while somebody looked all the time."""
    for member, _ in client.zscan_iter(keys.rq_started(queue)):
        client.zadd(keys.rq_started(queue), {member: 1})
    client.hset(keys.tick(queue), mapping={"last": 1, "since": 1})
    now = float(client.time()[0])
    client.hset(keys.tick(queue), mapping={"last": now, "since": now - 1000})


def mail_keys(client: redis.Redis) -> list[bytes]:
    """Return the keys that hold mail or jobs."""
    prefixes = ("causeway:message", "causeway:content", "causeway:delivery", "rq:job")
    return [key for prefix in prefixes for key in client.scan_iter(f"{prefix}:*")]


def test_an_accepted_message_is_what_is_leased(run: Run) -> None:
    (one,) = accepted(run)
    (leased,) = lease_all(run)
    assert (leased.envelope, leased.size) == (one.envelope, len(one.content))
    assert run(contents([one.envelope.id, "unknown"])) == [one.content, None]


def test_accepting_an_id_again_changes_nothing(run: Run) -> None:
    (one,) = accepted(run)
    assert run(accept(replace(one, content=b"other"))) is False
    assert run(contents([one.envelope.id])) == [one.content]
    assert len(lease_all(run)) == 1


def test_all_of_a_group_is_accepted_or_none(run: Run, redis_client: redis.Redis) -> None:
    def without_its_content() -> Operation[Any]:
        new = (message(), message())
        described = [
            (received.envelope.id, received.envelope.to_json(), len(received.content), "{}") for received in new
        ]
        yield Command("SET", (keys.content(new[0].envelope.id), b"content", "EX", 60))
        yield Script("accept", ("", 0, *(part for one in described for part in one)))

    with pytest.raises(SpoolUnavailable):
        run(without_its_content())
    assert lease_all(run) == []
    assert run(accept_all([message(), message()])) == [True, True]
    assert len(lease_all(run)) == 2
    first, second, orphan = sorted(int(redis_client.ttl(key)) for key in redis_client.scan_iter(keys.content("*")))
    assert (first, second) == (-1, -1)
    assert 0 < orphan <= 60


def test_rq_sees_every_job_where_it_is(run: Run, redis_client: redis.Redis) -> None:
    accepted(run, 3)
    queue = Queue(keys.TRANSFORM, connection=redis_client, serializer=JSONSerializer)
    assert queue.count == 3
    assert [job.func_name for job in queue.jobs] == ["services.transform.job.convert"] * 3
    seconds, _ = redis_client.time()
    assert all(0 <= seconds - job.created_at.timestamp() < 60 for job in queue.jobs)
    first, second, third = lease_all(run)
    assert (queue.count, StartedJobRegistry(queue=queue).count) == (0, 3)
    run(write_settlements([transformed(first), Retry(second.lease, 60), Parked(third.lease, "crash", "a bug")]))
    assert StartedJobRegistry(queue=queue).count == 0
    assert ScheduledJobRegistry(queue=queue).get_job_ids() == [second.lease.id]
    assert FailedJobRegistry(queue=queue).get_job_ids() == [third.lease.id]
    job = Job.fetch(third.lease.id, connection=redis_client, serializer=JSONSerializer)
    assert job.description == "crash: a bug"
    assert Queue("egress.exchange", connection=redis_client, serializer=JSONSerializer).count == 1


def test_a_job_of_which_rq_left_a_part_is_whole_again(run: Run, redis_client: redis.Redis) -> None:
    accepted(run, 1)
    queue = Queue(keys.TRANSFORM, connection=redis_client, serializer=JSONSerializer)
    deleted, started = (queue.jobs[0] for _ in range(2))
    deleted.delete()
    started.set_status(JobStatus.STARTED)  # as a worker does that had fetched it before
    assert run(reconcile(keys.TRANSFORM)) == 1
    assert [job.func_name for job in queue.jobs] == ["services.transform.job.convert"]
    assert [job.origin for job in queue.jobs] == [keys.TRANSFORM]


def test_a_lease_is_bounded_by_jobs_and_by_bytes(run: Run) -> None:
    accepted(run, 5, content=b"x" * 100)
    assert len(run(lease_messages("w", max_jobs=2, max_bytes=10**6, seconds=30))) == 2
    assert len(run(lease_messages("w", max_jobs=9, max_bytes=150, seconds=30))) == 1
    assert len(run(lease_messages("w", max_jobs=9, max_bytes=1, seconds=30))) == 1, "one is leased whatever its size"


def test_messages_are_leased_in_the_order_they_came(run: Run) -> None:
    messages = accepted(run, 5)
    assert [job.envelope.id for job in lease_all(run)] == [received.envelope.id for received in messages]


def test_a_released_job_is_the_next_one_and_counts_no_crash(run: Run) -> None:
    accepted(run, 3)
    leased = run(lease_messages("w", max_jobs=2, max_bytes=10**6, seconds=30))
    run(release([job.lease for job in leased]))
    again = lease_all(run)
    assert [job.lease.id for job in again][:2] == [job.lease.id for job in leased]
    assert {job.lease.crashes for job in again} == {0}


def test_nothing_is_leased_while_rq_is_suspended(run: Run, redis_client: redis.Redis) -> None:
    accepted(run)
    redis_client.set(keys.RQ_SUSPENDED, 1)
    assert lease_all(run) == []
    redis_client.delete(keys.RQ_SUSPENDED)
    assert len(lease_all(run)) == 1


def test_a_settlement_of_a_lost_lease_changes_nothing(run: Run, redis_client: redis.Redis) -> None:
    accepted(run)
    (lost,) = lease_all(run)
    let_leases_expire(run, redis_client, keys.TRANSFORM)
    assert run(reclaim(keys.TRANSFORM, max_crashes=3, lease_seconds=30))[0].id == lost.lease.id
    (held,) = lease_all(run)
    assert run(renew([lost.lease], 30)) == {lost.lease.id}
    assert run(write_settlements([transformed(lost)])) == {}
    assert lease_exchange(run) == []
    assert run(write_settlements([transformed(held)]))
    assert len(lease_exchange(run)) == 1


def test_settling_twice_makes_one_delivery(run: Run) -> None:
    accepted(run)
    (leased,) = lease_all(run)
    assert run(write_settlements([transformed(leased)]))
    assert run(write_settlements([transformed(leased)])) == {}
    assert len(lease_exchange(run)) == 1


def test_edits_and_delivery_arrive_as_they_were_written(run: Run) -> None:
    accepted(run)
    (leased,) = lease_all(run)
    edits = (Edit(0, 4, b"\x00\xff\r\n"), Edit(7, 7, b""))
    run(write_settlements([transformed(leased, *edits)]))
    (found,) = lease_exchange(run)
    assert (found.delivery, found.edits) == (delivery(leased.envelope), edits)


def test_a_finished_message_leaves_only_its_history(run: Run, redis_client: redis.Redis) -> None:
    (leased,) = converted(run)
    run(write_settlements([Finished(leased.lease, leased.delivery)], history_seconds=100))
    assert mail_keys(redis_client) == []
    history = keys.history(leased.delivery.message_id)
    assert 0 < redis_client.ttl(history) <= 100
    names = [event.name for event in run(read_history(leased.delivery.message_id))]
    assert names == ["message.accepted", "message.converted"]


def test_a_message_without_recipients_is_finished(run: Run, redis_client: redis.Redis) -> None:
    accepted(run)
    (leased,) = lease_all(run)
    run(write_settlements([Transformed(leased.lease, ())]))
    assert mail_keys(redis_client) == []


def test_the_content_stays_until_the_last_delivery_is_final(run: Run) -> None:
    (one,) = accepted(run)
    (leased,) = lease_all(run)
    systems = ("exchange", "other")
    made = tuple(NewDelivery(delivery(leased.envelope, system), ()) for system in systems)
    run(write_settlements([Transformed(leased.lease, made)]))
    for system, left in zip(systems, (CONTENT, None), strict=True):
        (work,) = run(lease_deliveries(system, "test", max_jobs=9, max_bytes=10**9, seconds=30))
        run(write_settlements([Finished(work.lease, work.delivery)]))
        assert run(contents([one.envelope.id])) == [left]


def test_a_report_is_accepted_with_the_settlement_that_made_it(run: Run) -> None:
    (leased,) = converted(run)
    report = message("a@example.com", sender=None)
    run(write_settlements([Finished(leased.lease, leased.delivery, reports=(report,))]))
    (found,) = lease_all(run)
    assert found.envelope == report.envelope
    assert run(contents([report.envelope.id])) == [report.content]


def test_a_retry_comes_back_when_it_is_due_with_its_new_state(run: Run, redis_client: redis.Redis) -> None:
    (leased,) = converted(run)
    tried = replace(leased.delivery, attempts=1)
    run(write_settlements([Retry(leased.lease, 60, tried)]))
    assert run(promote(leased.lease.queue)) == 0
    assert lease_exchange(run) == []
    redis_client.zadd(keys.rq_scheduled(leased.lease.queue), {leased.lease.id: 1})
    assert run(promote(leased.lease.queue)) == 1
    (again,) = lease_exchange(run)
    assert again.delivery == tried


def deferred(run: Run, count: int, seconds: float = 600, unserved_seconds: float | None = None) -> list[str]:
    """Have deliveries wait for a retry, each a second longer than the one before; return their ids."""
    leased = converted(run, count)
    delays = [seconds + place for place in range(count)]
    run(
        write_settlements(
            [
                Retry(job.lease, delay, replace(job.delivery, attempts=1), unserved_seconds=unserved_seconds)
                for job, delay in zip(leased, delays, strict=True)
            ]
        )
    )
    return [job.lease.id for job in leased]


def dues(client: redis.Redis) -> dict[str, float]:
    """Return in how many seconds each waiting delivery is due."""
    now = float(client.time()[0])
    waiting = client.zscan_iter(keys.rq_scheduled(keys.egress("exchange")))
    return {id.decode(): due - now for id, due in waiting}


@pytest.mark.parametrize("limit", [2, 3, 1000])
def test_flushed_retries_come_so_many_per_second_the_latest_first(
    run: Run, redis_client: redis.Redis, limit: int
) -> None:
    ids = deferred(run, 7)
    assert run(flush_retries(keys.egress("exchange"), per_second=2, limit=limit)) == 7
    after = dues(redis_client)
    assert sorted(ids, key=after.__getitem__) == ids[::-1]
    assert [round(after[id] - after[ids[-1]], 1) for id in ids[::-1]] == pytest.approx(
        [0, 0.5, 1, 1.5, 2, 2.5, 3], abs=0.5
    )


def test_no_retry_is_delayed_by_a_flush(run: Run, redis_client: redis.Redis) -> None:
    soon = deferred(run, 3, seconds=0.5)
    later = deferred(run, 3)
    before = dues(redis_client)
    assert run(flush_retries(keys.egress("exchange"), per_second=1, limit=2)) == 3
    after = dues(redis_client)
    assert all(after[id] < 10 for id in later)
    assert all(after[id] <= before[id] for id in soon)


def test_when_a_host_is_back_only_what_found_no_usable_host_is_flushed(run: Run, redis_client: redis.Redis) -> None:
    put_off = deferred(run, 3)
    unserved = deferred(run, 3, unserved_seconds=1)
    assert run(flush_retries(keys.egress("exchange"), unserved=True, limit=2)) == 3
    after = dues(redis_client)
    assert all(after[id] < 10 for id in unserved)
    assert all(after[id] > 500 for id in put_off)
    assert run(flush_retries(keys.egress("exchange"), unserved=True)) == 0


def test_a_delivery_that_was_served_since_no_longer_waits_for_a_host(run: Run, redis_client: redis.Redis) -> None:
    (id,) = deferred(run, 1, seconds=0, unserved_seconds=1)
    run(promote(keys.egress("exchange")))
    (leased,) = lease_exchange(run)
    run(write_settlements([Retry(leased.lease, 600)]))
    assert run(flush_retries(keys.egress("exchange"), unserved=True)) == 0
    assert dues(redis_client)[id] > 500


def test_an_attempt_that_a_host_came_back_too_late_for_is_made_again_at_once(
    run: Run, redis_client: redis.Redis
) -> None:
    before, after = converted(run, 2)
    run(flush_retries(keys.egress("exchange"), unserved=True))
    run(write_settlements([Retry(before.lease, 600, unserved_seconds=60), Retry(after.lease, 600, unserved_seconds=0)]))
    due = dues(redis_client)
    assert due[before.lease.id] < 10
    assert due[after.lease.id] > 500


def test_what_waits_is_listed_with_its_state_the_next_first(run: Run, redis_client: redis.Redis) -> None:
    ids = deferred(run, 3)
    redis_client.delete(keys.delivery(ids[1]))
    listed = run(list_retries("exchange"))
    assert [(entry.delivery.id, entry.delivery.attempts) for entry in listed] == [(ids[0], 1), (ids[2], 1)]
    assert [one.delivery.id for one in run(list_retries("exchange", 1))] == ids[:1]
    assert run(list_retries("notes")) == []


def test_a_bug_is_met_a_bounded_number_of_times(run: Run, redis_client: redis.Redis) -> None:
    accepted(run)
    for _ in range(3):
        (leased,) = lease_all(run)
        run(write_settlements([Crashed(leased.lease, "ValueError: x")], max_crashes=3))
        redis_client.zadd(keys.rq_scheduled(keys.TRANSFORM), {leased.lease.id: 1}, xx=True)
        run(promote(keys.TRANSFORM))
    assert lease_all(run) == []
    (letter,) = run(list_dead())
    assert (letter.stage, letter.reason, letter.detail) == ("transform", "crash", "ValueError: x")


def test_poison_is_isolated_and_its_neighbours_live(run: Run, redis_client: redis.Redis) -> None:
    poison, *neighbours = [one.envelope.id for one in accepted(run, 4)]
    settled: list[str] = []
    for _ in range(20):
        batch = lease_all(run)
        if any(job.lease.id == poison for job in batch):  # its worker dies with the whole batch
            let_leases_expire(run, redis_client, keys.TRANSFORM)
            run(reclaim(keys.TRANSFORM, max_crashes=3, lease_seconds=30))
        else:
            run(write_settlements([transformed(job) for job in batch]))
            settled += [job.lease.id for job in batch]
    assert sorted(settled) == sorted(neighbours)
    (letter,) = run(list_dead(Filter(reason="poison")))
    assert letter.id == poison


def test_leases_survive_a_pause_without_renewals(run: Run, redis_client: redis.Redis) -> None:
    accepted(run)
    (leased,) = lease_all(run)
    run(reclaim(keys.TRANSFORM, max_crashes=3, lease_seconds=30))
    let_leases_expire(run, redis_client, keys.TRANSFORM)
    redis_client.hset(keys.tick(keys.TRANSFORM), "last", float(redis_client.time()[0]) - 60)
    assert run(reclaim(keys.TRANSFORM, max_crashes=3, lease_seconds=30)) == []
    assert run(renew([leased.lease], 30)) == frozenset()
    assert run(write_settlements([transformed(leased)]))


def test_a_dead_workers_lease_ends_though_all_others_are_too_busy_to_look_often(
    run: Run, redis_client: redis.Redis
) -> None:
    """Each looks once in a turn of half a minute, and renews every ten seconds meanwhile."""
    accepted(run, 2)
    (_dead_workers,) = run(lease_messages("dead", max_jobs=1, max_bytes=10**9, seconds=30))
    (busy,) = lease_all(run)
    tick, started = keys.tick(keys.TRANSFORM), keys.rq_started(keys.TRANSFORM)

    def let_ten_seconds_pass() -> None:
        for key, value in redis_client.hgetall(tick).items():
            redis_client.hset(tick, key, float(value) - 10)
        for member, expires in redis_client.zscan_iter(started):
            redis_client.zadd(started, {member: float(expires) - 10})

    reclaimed = 0
    for _ in range(3):
        reclaimed += len(run(reclaim(keys.TRANSFORM, max_crashes=3, lease_seconds=30)))
        for _ in range(3):
            let_ten_seconds_pass()
            assert run(renew([busy.lease], 30)) == frozenset()
    assert reclaimed == 1


def test_leases_end_in_time_after_the_clock_went_back(run: Run, redis_client: redis.Redis) -> None:
    accepted(run)
    (leased,) = lease_all(run)
    now = float(redis_client.time()[0])
    member = f"{leased.lease.id}:{leased.lease.token}"
    redis_client.zadd(keys.rq_started(keys.TRANSFORM), {member: now + 3600})
    redis_client.hset(keys.tick(keys.TRANSFORM), mapping={"last": now + 3600, "since": now})
    run(reclaim(keys.TRANSFORM, max_crashes=3, lease_seconds=30))
    assert (redis_client.zscore(keys.rq_started(keys.TRANSFORM), member) or 0) <= now + 32


def test_retries_wait_no_longer_after_the_clock_went_back(run: Run, redis_client: redis.Redis) -> None:
    accepted(run, 2)
    first, second = lease_all(run)
    run(write_settlements([Retry(first.lease, 0), Retry(second.lease, 3600)]))
    now = float(redis_client.time()[0])
    for id in (first.lease.id, second.lease.id):
        redis_client.zincrby(keys.rq_scheduled(keys.TRANSFORM), 3600, id)  # as written by a clock an hour ahead
    redis_client.hset(keys.tick(keys.TRANSFORM), mapping={"last": now + 3600, "since": now})
    run(reclaim(keys.TRANSFORM, max_crashes=3, lease_seconds=30))
    due = redis_client.zscore(keys.rq_scheduled(keys.TRANSFORM), second.lease.id) or 0
    assert now + 3590 < due < now + 3610
    assert (redis_client.zscore(keys.rq_scheduled(keys.TRANSFORM), first.lease.id) or 0) < now + 10


def test_a_record_without_a_job_gets_one(run: Run, redis_client: redis.Redis) -> None:
    """`rq empty` deletes jobs; a stock worker on two queues can lose one; neither loses mail."""
    accepted(run, 5)
    (held, *_) = run(lease_messages("w", max_jobs=1, max_bytes=10**9, seconds=30))
    assert run(reconcile(keys.TRANSFORM)) == 0
    Queue(keys.TRANSFORM, connection=redis_client, serializer=JSONSerializer).empty()
    assert run(reconcile(keys.TRANSFORM)) == 4
    assert run(reconcile(keys.TRANSFORM)) == 0
    assert held.lease.id not in {job.lease.id for job in lease_all(run)}


def test_a_job_that_rq_called_abandoned_is_worked_on_again(run: Run, redis_client: redis.Redis) -> None:
    accepted(run)
    lease_all(run)
    let_leases_expire(run, redis_client, keys.TRANSFORM)
    queue = Queue(keys.TRANSFORM, connection=redis_client, serializer=JSONSerializer)
    StartedJobRegistry(queue=queue).cleanup()  # what `rq info` does
    assert FailedJobRegistry(queue=queue).count == 1
    assert run(reconcile(keys.TRANSFORM)) == 1
    assert FailedJobRegistry(queue=queue).count == 0
    assert len(lease_all(run)) == 1


def test_a_job_doubled_by_hand_is_worked_on_once(run: Run, redis_client: redis.Redis) -> None:
    (one,) = accepted(run)
    redis_client.rpush(keys.rq_queue(keys.TRANSFORM), one.envelope.id, one.envelope.id)
    (leased,) = lease_all(run)
    assert lease_all(run) == []
    run(write_settlements([transformed(leased)]))
    redis_client.rpush(keys.rq_queue(keys.TRANSFORM), one.envelope.id)
    assert lease_all(run) == []


def _refused(leased: LeasedDelivery) -> Parked:
    first, *rest = leased.delivery.recipients
    states = (
        replace(first, state="delivered", remote_id="ABC"),
        *(replace(recipient, state="refused", reply=Reply(550, "no")) for recipient in rest),
    )
    return Parked(leased.lease, "refused", "550 no", replace(leased.delivery, attempts=1, recipients=states))


def _with_a_refused_delivery(run: Run) -> Message:
    one = message("b@example.com", "c@example.com")
    run(accept(one))
    run(write_settlements([transformed(leased) for leased in lease_all(run)]))
    (leased,) = lease_exchange(run)
    run(write_settlements([_refused(leased)]))
    return one


def test_a_replayed_delivery_is_open_only_for_who_has_not_got_it(run: Run) -> None:
    one = _with_a_refused_delivery(run)
    (letter,) = run(list_dead(Filter(stage="egress", system="exchange", reason="refused")))
    assert run(replay(letter, "delivery", dry_run=True)) == "deliver"
    assert lease_exchange(run) == []
    assert run(replay(letter, "delivery")) == "deliver"
    assert run(replay(letter, "delivery")) == "gone"
    (leased,) = lease_exchange(run)
    assert [two.state for two in leased.delivery.recipients] == ["delivered", "pending"]
    assert leased.delivery.attempts == 0
    assert leased.delivery.created_at > one.envelope.received_at, "it has all the time to be delivered again"
    assert run(contents([one.envelope.id])) == [one.content]


def test_a_dead_letter_requeued_with_rqs_own_tools_is_replayed(run: Run, redis_client: redis.Redis) -> None:
    _with_a_refused_delivery(run)
    queue = Queue("egress.exchange", connection=redis_client, serializer=JSONSerializer)
    registry = FailedJobRegistry(queue=queue)
    (id,) = registry.get_job_ids()
    registry.requeue(id)
    (leased,) = lease_exchange(run)
    assert [two.state for two in leased.delivery.recipients] == ["delivered", "pending"]
    assert run(list_dead()) == []


def test_a_delivery_replayed_from_the_start_is_converted_for_who_has_not_got_it(
    run: Run, redis_client: redis.Redis
) -> None:
    _with_a_refused_delivery(run)
    (letter,) = run(list_dead())
    assert run(replay(letter, "start")) == "convert"
    (leased,) = lease_all(run)
    assert [two.address for two in leased.envelope.recipients] == ["c@example.com"]
    run(write_settlements([transformed(leased)]))
    (work,) = lease_exchange(run)
    run(write_settlements([Finished(work.lease, work.delivery)]))
    assert mail_keys(redis_client) == []


def test_two_deliveries_of_one_message_replayed_from_the_start_are_both_converted(run: Run) -> None:
    one = message("b@example.com", "c@example.com")
    run(accept(one))
    (leased,) = lease_all(run)
    parts = [replace(leased.envelope, recipients=(recipient,)) for recipient in leased.envelope.recipients]
    made = tuple(
        NewDelivery(delivery(part, system), ()) for part, system in zip(parts, ("exchange", "other"), strict=True)
    )
    run(write_settlements([Transformed(leased.lease, made)]))
    for system in ("exchange", "other"):
        (work,) = run(lease_deliveries(system, "test", max_jobs=9, max_bytes=10**9, seconds=30))
        run(write_settlements([Parked(work.lease, "expired", "", work.delivery)]))
    for letter in run(list_dead()):
        assert run(replay(letter, "start")) == "convert"
    (again,) = lease_all(run)
    assert {two.address for two in again.envelope.recipients} == {"b@example.com", "c@example.com"}


def test_a_part_replayed_while_another_is_converted_by_a_worker_that_seems_dead_is_not_lost(
    run: Run, redis_client: redis.Redis
) -> None:
    """A worker that was stopped for a minute settles when it goes on, if its lease has not been reclaimed."""
    run(accept(message("b@example.com", "c@example.com")))
    (leased,) = lease_all(run)
    parts = [replace(leased.envelope, recipients=(recipient,)) for recipient in leased.envelope.recipients]
    made = tuple(
        NewDelivery(delivery(part, system), ()) for part, system in zip(parts, ("exchange", "other"), strict=True)
    )
    run(write_settlements([Transformed(leased.lease, made)]))
    for system in ("exchange", "other"):
        (work,) = run(lease_deliveries(system, "test", max_jobs=9, max_bytes=10**9, seconds=30))
        run(write_settlements([Parked(work.lease, "expired", "", work.delivery)]))
    first, second = run(list_dead())
    assert run(replay(first, "start")) == "convert"
    (stopped,) = lease_all(run)
    let_leases_expire(run, redis_client, keys.TRANSFORM)
    assert run(replay(second, "start")) == "busy"
    assert run(write_settlements([transformed(stopped)]))
    assert [letter.id for letter in run(list_dead())] == [second.id]
    assert run(replay(second, "start")) == "convert"
    (again,) = lease_all(run)
    assert [two.address for two in again.envelope.recipients] == ["c@example.com"]


def test_a_dead_letter_that_goes_while_one_looks_is_none(run: Run, redis_client: redis.Redis) -> None:
    """Another console may replay it between two reads of its record."""
    accepted(run)
    (leased,) = lease_all(run)
    run(write_settlements([Parked(leased.lease, "malformed", "")]))
    redis_client.hdel(keys.message(leased.lease.id), "reason", "detail", "parked_at")
    assert run(show_dead(leased.lease.id)) is None
    redis_client.zadd(keys.DEAD, {"gone-exchange": 1})
    assert run(show_dead("gone-exchange")) is None
    assert run(list_dead()) == []


def test_a_reason_that_is_no_unicode_is_settled_all_the_same(run: Run) -> None:
    """Text out of a message may hold lone surrogates; a settlement that Redis never takes would be tried for ever."""
    accepted(run)
    (leased,) = lease_all(run)
    assert run(write_settlements([Parked(leased.lease, "conversion", "bad \udcff\0 \U0001f600")]))
    (letter,) = run(list_dead())
    assert letter.detail == "bad ?\0 \U0001f600"


def test_a_delivery_made_again_never_overwrites_one_that_is_still_open(run: Run) -> None:
    one = _with_a_refused_delivery(run)
    (letter,) = run(list_dead())
    run(replay(letter, "start"))
    (leased,) = lease_all(run)
    twice = NewDelivery(delivery(leased.envelope), ())
    run(write_settlements([Transformed(leased.lease, (twice, twice))]))
    ids = [work.delivery.id for work in lease_exchange(run)]
    assert ids == [f"{one.envelope.id}-exchange", f"{one.envelope.id}-exchange-2"]


def test_a_discarded_dead_letter_leaves_only_its_history(run: Run, redis_client: redis.Redis) -> None:
    _with_a_refused_delivery(run)
    accepted(run)
    (leased,) = lease_all(run)
    run(write_settlements([Parked(leased.lease, "malformed", "too deep")]))
    letters = run(list_dead())
    assert {letter.stage for letter in letters} == {"transform", "egress"}
    for letter in letters:
        assert run(show_dead(letter.id)) == letter
        assert run(discard(letter.id))
        assert not run(discard(letter.id))
        assert run(show_dead(letter.id)) is None
    assert mail_keys(redis_client) == []


def test_a_memory_is_kept_until_it_expires(run: Run, redis_client: redis.Redis) -> None:
    accepted(run)
    (leased,) = lease_all(run)
    remember = Remember("series:x", 0, {"sequence": 1}, time.time() + 100)
    run(write_settlements([replace(transformed(leased), memories=(remember,))]))
    assert run(recall("series:x")) == Memory(1, {"sequence": 1})
    assert 0 < redis_client.ttl(keys.memory("series:x")) <= 100
    assert run(recall("unknown")) == Memory()


def test_a_message_converted_with_an_outdated_memory_is_converted_again(run: Run) -> None:
    accepted(run, 2)
    first, second = lease_all(run)
    remember = Remember("series:x", 0, {"sequence": 1}, time.time() + 100)
    settlements = [replace(transformed(one), memories=(remember,)) for one in (first, second)]
    assert run(write_settlements(settlements)).keys() == {first.lease.id}
    assert len(lease_exchange(run)) == 1
    assert run(promote(keys.TRANSFORM)) == 1
    (again,) = lease_all(run)
    assert (again.lease.id, again.lease.crashes) == (second.lease.id, 0)


def test_gauges_count_what_is_there(run: Run) -> None:
    accepted(run, 4)
    first, second, *_ = run(lease_messages("w", max_jobs=3, max_bytes=10**9, seconds=30))
    settlements: list[Settlement] = [Retry(first.lease, 60), Parked(second.lease, "malformed", "")]
    run(write_settlements(settlements))
    gauge = run(gauge_queue(keys.TRANSFORM))
    assert (gauge.depth, gauge.leased, gauge.scheduled, gauge.dead) == (1, 1, 1, 1)
    assert gauge.oldest_seconds >= 0


def test_durability_is_what_redis_offers_now(
    run: Run, redis_client: redis.Redis, redis_settings: RedisSettings
) -> None:
    gauge = run(gauge_spool(redis_settings))
    assert (gauge.problem, gauge.durability) == ("", "fsync")
    redis_client.config_set("appendfsync", "everysec")
    assert "appendfsync always" in run(gauge_spool(redis_settings)).problem
    assert run(gauge_spool(redis_settings.model_copy(update={"durability": "everysec"}))).problem == ""
    replicated = run(gauge_spool(redis_settings.model_copy(update={"durability": "replicated"})))
    assert replicated.problem == "durability replicated needs 1 replicas, 0 are connected"
    redis_client.config_set("appendonly", "no")
    gauge = run(gauge_spool(redis_settings))
    assert gauge.durability == "memory"
    assert "appendonly yes" in gauge.problem


@pytest.mark.parametrize("declared", ["fsync", "everysec"])
def test_redis_that_pauses_fsync_while_it_rewrites_its_file_is_too_weak(
    run: Run, redis_client: redis.Redis, redis_settings: RedisSettings, declared: str
) -> None:
    redis_client.config_set("no-appendfsync-on-rewrite", "yes")
    try:
        gauge = run(gauge_spool(redis_settings.model_copy(update={"durability": declared})))
    finally:
        redis_client.config_set("no-appendfsync-on-rewrite", "no")
    assert gauge.durability == "memory"
    assert "set no-appendfsync-on-rewrite no" in gauge.problem


def test_a_full_redis_says_so_and_writes_nothing(run: Run, redis_client: redis.Redis) -> None:
    redis_client.config_set("maxmemory", 1)
    try:
        with pytest.raises(SpoolFull):
            run(accept(message()))
    finally:
        redis_client.config_set("maxmemory", 0)
    assert mail_keys(redis_client) == []


def test_a_full_redis_can_be_drained(run: Run, redis_client: redis.Redis) -> None:
    accepted(run, 2)
    redis_client.config_set("maxmemory", 1)
    try:
        first, second = lease_all(run)
        run(write_settlements([transformed(first), Retry(second.lease, 60)]))
        (work,) = lease_exchange(run)
        run(write_settlements([Finished(work.lease, work.delivery)]))
    finally:
        redis_client.config_set("maxmemory", 0)
    assert run(gauge_queue(keys.TRANSFORM)).scheduled == 1


def only_what_expires_by_itself(client: redis.Redis) -> bool:
    """Whether no message is there: contents go ahead of their records, and leave soon without one."""
    return all(client.ttl(key) > 0 for key in mail_keys(client))


def test_what_redis_would_not_append_to_its_file_is_not_accepted(run: Run, redis_client: redis.Redis) -> None:
    redis_client.config_set("appendonly", "no")
    with pytest.raises(SpoolTooWeak):
        run(accept(message(), durability="everysec"))
    assert only_what_expires_by_itself(redis_client)
    assert run(accept(message(), durability="memory"))


def test_only_the_redis_whose_durability_was_read_takes_a_message(
    run: Run, redis_client: redis.Redis, redis_settings: RedisSettings
) -> None:
    with pytest.raises(SpoolTooWeak):
        run(accept(message(), server="0" * 40, durability="fsync"))
    assert only_what_expires_by_itself(redis_client)
    assert run(accept(message(), server=run(gauge_spool(redis_settings)).server, durability="fsync"))


def test_too_few_replicas_are_an_error(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.spool.accept.WAIT_MILLISECONDS", 10)
    with pytest.raises(SpoolTooWeak):
        run(accept(message(), replicas=1))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the alarm fires in finalizers too
def test_an_answer_after_an_alarm_is_not_read_by_the_next_request(
    redis_client: redis.Redis, redis_settings: RedisSettings
) -> None:
    """A time limit may strike between any two steps of a request (CVE-2023-28858 is the same in asyncio)."""

    class Alarm(BaseException):
        pass

    def late() -> Operation[Any]:
        return (yield Command("BLPOP", ("nothing", 0.01)))

    def echo(text: bytes) -> Operation[Any]:
        return (yield Command("ECHO", (text,)))

    redis_client.config_set("hz", 500)  # how often Redis looks for waits that are over
    spool = open_spool(redis_settings)
    step, has_struck = 0, True
    while has_struck:
        step, left, has_struck = step + 1, step, False

        def strike(frame: FrameType, event: str, _: Any) -> Any:
            nonlocal left, has_struck
            if "redis" not in frame.f_code.co_filename and "spool" not in frame.f_code.co_filename:
                return None
            if event == "line":
                left -= 1
                if left < 0 and not has_struck:
                    has_struck = True
                    raise Alarm
            return strike

        before = sys.gettrace()
        sys.settrace(strike)
        try:
            spool.run(late())
        except (Alarm, SpoolUnavailable):
            pass
        finally:
            sys.settrace(before)
        assert spool.run(echo(b"%d" % step)) == b"%d" % step
    assert step > 50
    spool.close()
    redis_client.config_set("hz", 10)


def test_redis_is_unavailable_where_no_file_descriptor_is_left(redis_settings: RedisSettings) -> None:
    spool = open_spool(redis_settings)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        with pytest.raises(SpoolUnavailable):
            spool.run(accept(message()))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert spool.run(accept(message()))
    spool.close()


def test_whenever_redis_drops_a_connection_it_is_unavailable_and_nothing_else(
    redis_settings: RedisSettings, redis_client: redis.Redis
) -> None:
    """Also during a write, for which uvloop raises its own error; a cancelled request leaves no answer for another."""
    uvloop.run(_ask_while_connections_drop(redis_settings, redis_client))


async def _ask_while_connections_drop(redis_settings: RedisSettings, redis_client: redis.Redis) -> None:
    spool, until = open_async_spool(redis_settings), time.monotonic() + 1

    def echo(text: bytes) -> Operation[Any]:
        return (yield Command("ECHO", (text,)))

    def drop_connections() -> None:
        while time.monotonic() < until:
            redis_client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")  # type: ignore[no-untyped-call]
            time.sleep(0.002)

    async def ask(who: int) -> None:
        turn = 0
        while time.monotonic() < until:
            turn += 1
            text = b"%d of %d" % (turn, who) + b"." * 100_000 * (turn % 2)
            try:
                async with asyncio.timeout(0.005 if turn % 3 else 5):
                    assert await spool.run(echo(text)) == text
            except (SpoolUnavailable, TimeoutError):
                continue

    await asyncio.gather(asyncio.to_thread(drop_connections), *(ask(who) for who in range(20)))
    await spool.aclose()


def test_an_absent_redis_is_unavailable() -> None:
    spool = open_spool(RedisSettings(url="redis://127.0.0.1:1/0"))
    with pytest.raises(SpoolUnavailable):
        spool.run(accept(message()))
    spool.close()


def test_a_forgotten_script_is_sent_again(run: Run, redis_client: redis.Redis) -> None:
    accepted(run)
    redis_client.script_flush()
    assert len(lease_all(run)) == 1


def test_an_idle_worker_is_woken_by_mail(run: Run) -> None:
    assert run(wait_for_work([keys.TRANSFORM], 0.05)) is False
    accepted(run)
    assert run(wait_for_work([keys.TRANSFORM], 5)) is True


def test_workers_that_were_killed_are_forgotten(run: Run, redis_client: redis.Redis) -> None:
    run(announce("killed", [keys.TRANSFORM], "busy"))
    redis_client.delete(keys.rq_worker("killed"))  # as its time to live does
    run(announce("alive", [keys.TRANSFORM], "busy"))
    for registry in (keys.RQ_WORKERS, keys.rq_queue_workers(keys.TRANSFORM)):
        assert redis_client.smembers(registry) == {keys.rq_worker("alive").encode()}


def test_workers_are_seen_by_rq(run: Run, redis_client: redis.Redis) -> None:
    from rq import Worker

    run(announce("transform-1", [keys.TRANSFORM], "busy"))
    (worker,) = Worker.all(connection=redis_client)
    assert (worker.name, worker.queue_names(), str(worker.get_state())) == ("transform-1", ["transform"], "busy")
    run(retire("transform-1", [keys.TRANSFORM]))
    assert Worker.all(connection=redis_client) == []


def test_runs_are_counted_for_the_worker_as_rq_counts_them(run: Run, redis_client: redis.Redis) -> None:
    """RQ counts each run that asks for a retry as failed; so a stock worker and ours show the same."""
    from rq import Worker

    accepted(run, 4)
    run(announce("test", [keys.TRANSFORM], "idle"))
    first, second, third, fourth = lease_all(run)
    (worker,) = Worker.all(connection=redis_client)
    assert str(worker.get_state()) == "busy"
    settlements: list[Settlement] = [transformed(first), Retry(second.lease, 60), Parked(third.lease, "crash", "x")]
    run(write_settlements(settlements, shift=Shift("test", 1.25, "busy")))
    run(write_settlements([transformed(fourth)], shift=Shift("test", 0.5, "idle")))
    run(write_settlements([transformed(fourth)], shift=Shift("test", 0, "idle")))  # stale
    worker.refresh()
    assert (worker.successful_job_count, worker.failed_job_count, worker.total_working_time) == (2, 2, 1.75)
    assert str(worker.get_state()) == "idle"


def test_a_worker_that_rq_forgot_is_not_written_again(run: Run, redis_client: redis.Redis) -> None:
    accepted(run)
    (leased,) = lease_all(run)
    run(write_settlements([transformed(leased)], shift=Shift("test", 1, "idle")))
    assert not redis_client.exists(keys.rq_worker("test"))


def test_the_time_of_a_job_is_right_on_every_day_until_2100(redis_client: redis.Redis) -> None:
    days = range((datetime(2100, 1, 1) - datetime(1970, 1, 1)).days)
    moments = [day * 86400 + day * 7919 % 86400 for day in days]
    functions = source("lease").partition("-- ARGV")[0]  # what every script begins with
    script = "local times = {}; for i, at in ipairs(ARGV) do times[i] = rq_time(tonumber(at)) end; return times"
    assert [text.decode() for text in redis_client.eval(functions + script, 0, *moments)] == [
        datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") for moment in moments
    ]


def test_the_upkeep_schedule_announces_reclaims_and_reconciles(
    run: Run, redis_client: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    expired, lost = (message.envelope.id for message in accepted(run, 2))
    run(lease_messages("dead", max_jobs=1, max_bytes=10**9, seconds=30))
    let_leases_expire(run, redis_client, keys.TRANSFORM)
    redis_client.lrem(keys.rq_queue(keys.TRANSFORM), 0, lost)
    schedule = UpkeepSchedule("w1", [keys.TRANSFORM], max_crashes=3, lease_seconds=30)
    for operation in schedule.due(0.0, is_busy=True):
        run(operation)
    assert redis_client.hget(keys.rq_worker("w1"), "state") == b"busy"
    crashed, others = lease_all(run), lease_all(run)
    assert {leased.lease.id: leased.lease.crashes for leased in crashed + others} == {expired: 1, lost: 0}
    assert {"message.interrupted", "queue.reconciled"} <= {record.getMessage() for record in caplog.records}


def test_a_claim_by_a_stock_worker_excludes_others(run: Run, redis_client: redis.Redis) -> None:
    (one,) = accepted(run)
    id = one.envelope.id
    redis_client.lpop(keys.rq_queue(keys.TRANSFORM))
    redis_client.zadd(keys.rq_started(keys.TRANSFORM), {f"{id}:execution": 2**40})
    leased = run(claim_message(id, "execution"))
    assert leased.envelope == one.envelope
    redis_client.rpush(keys.rq_queue(keys.TRANSFORM), id)
    assert lease_all(run) == []
    assert run(claim_message(id, "other")) is None
    assert run(write_settlements([transformed(leased)], hosted=True))
    assert redis_client.exists(keys.rq_job(id)), "the stock worker removes its own job"
    assert len(lease_exchange(run)) == 1
