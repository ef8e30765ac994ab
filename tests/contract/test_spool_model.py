"""Whatever order workers, crashes, RQ's tools and administrators act in, each accepted message ends exactly once."""

from __future__ import annotations

import contextlib
import time
from typing import Any

import redis
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from hypothesis.strategies import booleans, integers, sampled_from
from rq import Queue
from rq.exceptions import NoSuchJobError
from rq.registry import FailedJobRegistry, StartedJobRegistry
from rq.serializers import JSONSerializer

from shared.configuration.redis import RedisSettings
from shared.spool import keys
from shared.spool.accept import accept
from shared.spool.connect import open_spool
from shared.spool.dead_letters import discard, list_dead, replay
from shared.spool.lease import Lease, LeasedDelivery, LeasedMessage, lease_deliveries, lease_messages, release
from shared.spool.operation import Spool
from shared.spool.retries import flush_retries
from shared.spool.settlement import Crashed, Finished, NewDelivery, Parked, Retry, Settlement, Transformed
from shared.spool.upkeep import promote, reclaim, reconcile
from shared.spool.write_settlements import write_settlements
from tests.support.mail import delivery, message

EGRESS = keys.egress("exchange")
QUEUES = (keys.TRANSFORM, EGRESS)
Leased = LeasedMessage | LeasedDelivery


class SpoolModel(RuleBasedStateMachine):
    """The spool on one side; on the other only which messages were accepted, and which were seen to end."""

    spool: Spool
    client: redis.Redis

    def __init__(self) -> None:
        super().__init__()
        self.accepted: set[str] = set()
        self.ended: list[str] = []
        self.held: list[Leased] = []

    @initialize()
    def empty(self) -> None:
        self.client.flushall()

    @rule(count=integers(1, 3))
    def a_client_sends(self, count: int) -> None:
        for _ in range(count):
            one = message()
            self.spool.run(accept(one))
            self.accepted.add(one.envelope.id)

    @rule(jobs=integers(1, 4))
    def a_worker_leases(self, jobs: int) -> None:
        self.held += self.spool.run(lease_messages("w", max_jobs=jobs, max_bytes=10**6, seconds=30))
        self.held += self.spool.run(lease_deliveries("exchange", "w", max_jobs=jobs, max_bytes=10**6, seconds=30))

    def _settle(self, leased: Leased, outcome: str) -> None:
        lease: Lease = leased.lease
        settlement: Settlement
        ends = ""
        if outcome == "retry":
            settlement = Retry(lease, 0, unserved_seconds=1.0 if isinstance(leased, LeasedDelivery) else None)
        elif outcome == "crash":
            settlement = Crashed(lease, "a bug")
        elif outcome == "dead":
            settlement = Parked(lease, "refused", "no")
        elif isinstance(leased, LeasedMessage):
            settlement = Transformed(lease, (NewDelivery(delivery(leased.envelope), ()),))
        else:
            settlement = Finished(lease, leased.delivery)
            ends = leased.delivery.message_id
        written = self.spool.run(write_settlements([settlement]))
        if ends and written:
            self.ended.append(ends)

    @rule(outcome=sampled_from(["done", "done", "done", "retry", "crash", "dead"]))
    def a_worker_settles(self, outcome: str) -> None:
        if self.held:
            self._settle(self.held.pop(0), outcome)

    @rule()
    def a_worker_that_was_given_up_settles_late(self) -> None:
        if self.held:
            self._settle(self.held[-1], "done")

    @rule()
    def a_worker_gives_back(self) -> None:
        if self.held:
            self.spool.run(release([self.held.pop().lease]))

    @rule()
    def workers_die_and_others_reclaim(self) -> None:
        for queue in QUEUES:
            for member, _ in self.client.zscan_iter(keys.rq_started(queue)):
                self.client.zadd(keys.rq_started(queue), {member: 1})
            now = float(self.client.time()[0])
            self.client.hset(keys.tick(queue), mapping={"last": now, "since": now - 1000})
            self.spool.run(reclaim(queue, max_crashes=3, lease_seconds=30))

    @rule()
    def rq_calls_jobs_abandoned(self) -> None:
        for queue in QUEUES:
            rq_queue = Queue(queue, connection=self.client, serializer=JSONSerializer)
            StartedJobRegistry(queue=rq_queue).cleanup(timestamp=time.time() + 3600)

    @rule(queue=sampled_from(QUEUES))
    def somebody_empties_a_queue(self, queue: str) -> None:
        Queue(queue, connection=self.client, serializer=JSONSerializer).empty()

    @rule(queue=sampled_from(QUEUES))
    def a_stock_worker_takes_a_job_and_dies(self, queue: str) -> None:
        self.client.lmove(keys.rq_queue(queue), keys.rq_intermediate(queue))

    @rule(queue=sampled_from(QUEUES))
    def somebody_requeues_with_rq(self, queue: str) -> None:
        registry = FailedJobRegistry(queue=Queue(queue, connection=self.client, serializer=JSONSerializer))
        for id in registry.get_job_ids()[:1]:
            with contextlib.suppress(NoSuchJobError):  # somebody emptied the queue before
                registry.requeue(id)

    @rule(queue=sampled_from(QUEUES), unserved=booleans())
    def retries_are_flushed(self, queue: str, unserved: bool) -> None:
        self.spool.run(flush_retries(queue, unserved=unserved, limit=2))

    @rule(from_start=booleans())
    def an_administrator_replays(self, from_start: bool) -> None:
        for letter in self.spool.run(list_dead(limit=1)):
            self.spool.run(replay(letter, "start" if from_start else "delivery"))

    @rule()
    def an_administrator_discards(self) -> None:
        for letter in self.spool.run(list_dead(limit=1)):
            if self.spool.run(discard(letter.id)):
                self.ended.append(letter.message_id)

    @invariant()
    def nothing_is_lost_and_nothing_ends_twice(self) -> None:
        here = {key.decode().rpartition(":")[2] for key in self.client.scan_iter(keys.message("*"))}
        assert here | set(self.ended) == self.accepted
        assert not here & set(self.ended)
        assert len(self.ended) == len(set(self.ended))
        for id in here:
            assert self.client.exists(keys.content(id))

    def teardown(self) -> None:
        """Workers that neither die nor fail bring everything to its end."""
        if not hasattr(self, "spool"):
            return
        for _ in range(40):
            self.workers_die_and_others_reclaim()
            for queue in QUEUES:
                self.spool.run(reconcile(queue))
                for member, _ in self.client.zscan_iter(keys.rq_scheduled(queue)):
                    self.client.zadd(keys.rq_scheduled(queue), {member: 1})
                self.spool.run(promote(queue))
            for letter in self.spool.run(list_dead()):
                self.spool.run(replay(letter, "delivery"))
            self.held = []
            self.a_worker_leases(4)
            for leased in self.held:
                self._settle(leased, "done")
            if len(self.ended) == len(self.accepted):
                break
        self.nothing_is_lost_and_nothing_ends_twice()
        assert set(self.ended) == self.accepted
        left = {
            key
            for key in self.client.scan_iter("*")
            if not key.startswith((b"causeway:history:", b"causeway:tick:", b"causeway:returned:"))
        }
        bookkeeping = {b"rq:queues", *(keys.wake(queue).encode() for queue in QUEUES)}
        stale = {keys.rq_intermediate(queue).encode() for queue in QUEUES}
        assert left <= bookkeeping | stale


def test_each_accepted_message_ends_exactly_once(redis_client: redis.Redis, redis_settings: RedisSettings) -> None:
    spool = open_spool(redis_settings)
    attributes: dict[str, Any] = {"spool": spool, "client": redis_client}
    machine = type("BoundSpoolModel", (SpoolModel,), attributes)
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=60, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
    spool.close()
