"""Jobs: lease and settle against RQ's own SimpleWorker, on as many jobs that do nothing and one durable Redis."""

from __future__ import annotations

import logging
import time

from rq import Queue, SimpleWorker
from rq.serializers import JSONSerializer

from bench import filling, systems
from bench.figures import Spread, Target, table
from bench.runs import Options, Result, room
from shared.configuration.settings import Settings
from shared.spool.lease import lease_messages
from shared.spool.operation import Spool
from shared.spool.settlement import Transformed
from shared.spool.write_settlements import write_settlements

JOBS = 2000
QUICK_JOBS = 100
WANTED = 15.0


def nothing() -> None:
    """Do what every job does here."""


def run(options: Options) -> Result:
    """Take turns; return the jobs a second of each round."""
    jobs = options.few(JOBS, QUICK_JOBS)
    found: dict[str, list[float]] = {"lease_settle": [], "simple_worker": []}
    with room(options, "jobs") as place, systems.redis(place) as (url, _), systems.opened(url) as spool:
        for _ in range(options.rounds):
            found["lease_settle"].append(jobs / _lease_and_settle(spool, jobs))
            found["simple_worker"].append(jobs / _simple_worker(spool, jobs))
    return {"jobs": jobs, "per_second": found}


def _lease_and_settle(spool: Spool, jobs: int) -> float:
    """Return the seconds that our worker's requests take for messages of which nothing becomes."""
    settings = Settings().transform
    filling.accept_many(spool, jobs)
    began, done = time.perf_counter(), 0
    while done < jobs:
        leased = spool.run(lease_messages("bench", max_jobs=settings.batch, max_bytes=settings.batch_bytes, seconds=30))
        finished = [Transformed(job.lease, ()) for job in leased]
        written = spool.run(write_settlements(finished, max_crashes=settings.max_crashes, history_seconds=60))
        if len(written) < len(finished):
            raise RuntimeError("a lease was lost without another worker")
        done += len(leased)
    return time.perf_counter() - began


def _simple_worker(spool: Spool, jobs: int) -> float:
    """Return the seconds that RQ's worker takes in one process, without a fork a job."""
    logging.getLogger("rq.worker").setLevel(logging.ERROR)
    queue = Queue("nothing", connection=spool.client, serializer=JSONSerializer)
    for _ in range(jobs):
        queue.enqueue(nothing, result_ttl=0, failure_ttl=-1)
    worker = SimpleWorker([queue], connection=spool.client, serializer=JSONSerializer)
    began = time.perf_counter()
    worker.work(burst=True, logging_level="ERROR")
    seconds = time.perf_counter() - began
    if queue.count:
        raise RuntimeError(f"RQ's worker left {queue.count} jobs")
    return seconds


def _ratio(result: Result) -> Spread:
    pairs = zip(*result["per_second"].values(), strict=True)
    return Spread.of(ours / theirs for ours, theirs in pairs)


def table_of(result: Result) -> str:
    """Return the figures for a person."""
    names = {"lease_settle": "lease and settle", "simple_worker": "SimpleWorker"}
    rows = [(names[name], Spread.of(rates).formatted()) for name, rates in result["per_second"].items()]
    rows.append(("ratio", _ratio(result).formatted(1)))
    return table((f"{result['jobs']} jobs that do nothing", "jobs/s"), rows)


def targets(result: Result) -> list[Target]:
    """Return what was wanted beside what was found."""
    return [Target("lease and settle against SimpleWorker", _ratio(result).median, WANTED, unit="×")]
