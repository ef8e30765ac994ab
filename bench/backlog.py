"""Backlog: throughput and memory with an empty spool, and with a million messages waiting in it.

Two spools are full. In the one Domino's host is down: a million deliveries wait for their next try, while mail for
Exchange goes through. In the other a million messages are ready for transform, and what is measured is how fast the
first of them go out, against the same with only as many as keep transform at work meanwhile. Redis has an append-only
file, synced on every write.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from bench import filling, messages, systems
from bench.figures import Spread, Target, table
from bench.processes import wait_for
from bench.runs import LIMIT_SECONDS, Options, Result, carry, room, taken
from shared import configuration
from shared.routing.router import CurrentRouter
from shared.spool.operation import Spool

MESSAGES = 3000
QUICK_MESSAGES = 300
DRAINED = 6000
QUICK_DRAINED = 600
AHEAD = 5
"""How many times what is measured has to be ready, so that transform, which is faster than egress, stays at work."""
WANTED = 0.9
OVERHEAD_BYTES = 1500
REWRITE_SECONDS = 900.0


def run(options: Options) -> Result:
    """Measure the four spools."""
    few = options.few(DRAINED, QUICK_DRAINED)
    enough = few * AHEAD
    return {
        "waiting": options.waiting,
        "ready": max(options.waiting, enough),
        "through": {"empty": _through(options, 0), "full": _through(options, options.waiting)},
        "drain": {"empty": _drain(options, enough, few), "full": _drain(options, max(options.waiting, enough), few)},
    }


def _through(options: Options, waiting: int) -> Result:
    """Carry mail of one direction while deliveries of the other wait; return the rate of each round."""
    total = options.few(MESSAGES, QUICK_MESSAGES)
    with room(options, "backlog") as place, systems.redis(place) as (url, _), systems.opened(url) as spool:
        messages.write(place / "messages", 5000, "plain")
        with systems.sink(place, options.made) as (sink_port, count):
            content = systems.configured(sink_port, options.made, url, dead=("notes",))
            overhead = _postponed(place, content, spool, waiting) if waiting else None
            with systems.up(place, content) as port:
                carry(port, count, place / "messages", total // 10, options.sessions)  # warm
                rates = [
                    carry(port, count, place / "messages", total, options.sessions)["per_second"]
                    for _ in range(options.rounds)
                ]
    return {"rates": rates, "overhead_bytes": overhead}


def _postponed(place: Path, content: dict[str, Any], spool: Spool, waiting: int) -> float:
    settings = configuration.load(systems.write_configuration(place, content))
    router = CurrentRouter.configured(settings).current()
    before = _used(spool)
    filling.accept_many(spool, waiting)
    filling.postpone_many(spool, settings, router)
    return _overhead(spool, before, waiting)


def _drain(options: Options, waiting: int, drained: int) -> Result:
    """Let messages wait for transform, start the services, and return the rate at which the first go out."""
    with room(options, "backlog") as place, systems.redis(place) as (url, _), systems.opened(url) as spool:
        before = _used(spool)
        filling.accept_many(spool, waiting)
        overhead = _overhead(spool, before, waiting)
        with (
            systems.sink(place, options.made) as (sink_port, count),
            systems.up(place, systems.configured(sink_port, options.made, url)),
        ):
            rates = [_rate(count, drained * number // 5, drained * (number + 1) // 5) for number in range(1, 5)]
    return {"rates": rates, "overhead_bytes": overhead}


def _rate(count: Path, first: int, last: int) -> float:
    """Return messages a second at the sink from the first to the last of its count."""
    wait_for(lambda: taken(count) >= first, f"message {first}", LIMIT_SECONDS, pause=0.005)
    began, counted = time.perf_counter(), taken(count)
    wait_for(lambda: taken(count) >= last, f"message {last}", LIMIT_SECONDS, pause=0.005)
    return (taken(count) - counted) / (time.perf_counter() - began)


def _used(spool: Spool) -> int:
    """Return the memory in use while no rewrite of the append-only file holds any."""
    wait_for(
        lambda: not spool.client.info("persistence")["aof_rewrite_in_progress"],
        "the rewrite of the append-only file",
        REWRITE_SECONDS,
    )
    return int(spool.client.info("memory")["used_memory"])


def _overhead(spool: Spool, before: int, waiting: int) -> float:
    return (_used(spool) - before) / waiting - len(filling.SMALL)


def _share(result: Result, name: str) -> float:
    full, empty = (Spread.of(result[name][spool]["rates"]).median for spool in ("full", "empty"))
    return full / empty


def table_of(result: Result) -> str:
    """Return the figures for a person."""
    rows = []
    for name, shown in (
        ("through", f"{result['waiting']:,} deliveries waiting for a retry"),
        ("drain", f"{result['ready']:,} messages ready"),
    ):
        empty, full = (Spread.of(result[name][spool]["rates"]).formatted() for spool in ("empty", "full"))
        overhead = result[name]["full"]["overhead_bytes"]
        rows.append((shown, empty, full, f"{_share(result, name):.2f}", f"{overhead:,.0f}"))
    head = (
        "full spool",
        "messages/s when empty",
        "messages/s when full",
        "share",
        "Redis bytes each, beyond its content",
    )
    return table(head, rows)


def targets(result: Result) -> list[Target]:
    """Return what was wanted beside what was found."""
    found = []
    for name, shown in (("through", "deliveries waiting for a retry"), ("drain", "messages ready")):
        share, overhead = _share(result, name), result[name]["full"]["overhead_bytes"]
        found.append(Target(f"rate with {result['waiting']:,} {shown}", share, WANTED, unit="×"))
        found.append(Target(f"Redis memory of one of the {shown}", overhead, OVERHEAD_BYTES, at_least=False, unit=" B"))
    return found
