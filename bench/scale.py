"""Scale: 1, 2 and 4 processes of each stage alone, then of all together; what Redis does for a message.

A stage alone has both cores but for Redis and, at the ends, the load and the sink. How far more processes could help is
computed from the processor time of everything that ran: no more than all cores at work.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench import messages, systems
from bench.figures import Spread, Target, table
from bench.processes import cpu_seconds, family_cpu_seconds, wait_for
from bench.runs import LIMIT_SECONDS, Options, Result, carry, room, send
from services.all_services import SERVICES
from services.demo.program import running_program
from shared.configuration.endpoint import Endpoint
from shared.runtime import local_gateway
from shared.spool import keys
from shared.spool.gauge import gauge_queue
from shared.spool.operation import Spool

REPLICAS = (1, 2, 4)
MESSAGES = 3000
QUICK_MESSAGES = 200
ROUNDS = 3
STAGES = tuple(service.name for service in SERVICES)


def run(options: Options) -> Result:
    """Measure every number of processes, so many rounds."""
    rounds = min(options.rounds, ROUNDS)
    alone: dict[str, dict[str, list[dict[str, float]]]] = {name: {str(n): [] for n in REPLICAS} for name in STAGES}
    for number in range(rounds * len(REPLICAS)):
        replicas = REPLICAS[number % len(REPLICAS)]
        for name, found in _stages_alone(options, replicas).items():
            alone[name][str(replicas)].append(found)
    together = {str(n): [_together(options, n) for _ in range(rounds)] for n in REPLICAS}
    return {"cores": os.cpu_count(), "alone": alone, "together": together, "redis": _redis_use(options)}


def _stages_alone(options: Options, replicas: int) -> dict[str, dict[str, float]]:
    """Let mail go through the stages one after another, each in so many processes while the others do not run."""
    total = options.few(MESSAGES, QUICK_MESSAGES)
    with room(options, "scale") as place, systems.redis(place) as (url, _), systems.opened(url) as spool:
        messages.write(place / "messages", 5000)
        with systems.sink(place, options.made) as (sink_port, count):
            content = systems.configured(sink_port, options.made, url)
            with _service(place, content, "ingress", replicas):
                port = Endpoint.parse(content["ingress"]["listen"][0]).port
                send(port, place / "messages", total // 10, options.sessions)  # warm
                meter = Meter()
                send(port, place / "messages", total, options.sessions)
                found = {"ingress": meter.figures(total)}
            waiting = total + total // 10
            with _suspended(spool), _service(place, content, "transform", replicas):
                resume(spool)
                found["transform"] = _middle(lambda: waiting - _open(spool), waiting)
            with _suspended(spool), _service(place, content, "egress", replicas):
                resume(spool)
                found["egress"] = _middle(lambda: int(count.read_text()), waiting)
    return found


def _open(spool: Spool) -> int:
    gauge = spool.run(gauge_queue(keys.TRANSFORM))
    return gauge.depth + gauge.leased


@contextmanager
def _suspended(spool: Spool) -> Iterator[None]:
    """Suspend leasing, as `rq suspend` does, so that all processes begin at once."""
    spool.client.set(keys.RQ_SUSPENDED, 1)
    try:
        yield
    finally:
        resume(spool)


def resume(spool: Spool) -> None:
    """Resume leasing, as `rq resume` does."""
    spool.client.delete(keys.RQ_SUSPENDED)


@contextmanager
def _service(place: Path, content: dict[str, Any], name: str, replicas: int) -> Iterator[None]:
    """Run one service in so many processes, from when all of them are ready."""
    config = systems.write_configuration(place, content)
    command = [sys.executable, "-m", "services.cli.main", name, "--config", str(config)]
    with running_program([*command, "--processes", str(replicas)], place / f"{name}.log"):
        wait_for(
            lambda: local_gateway.reports_ready(Endpoint.parse(content["http"]["listen"])),
            f"{replicas} processes of {name}",
        )
        yield


def _middle(done: Callable[[], int], total: int) -> dict[str, float]:
    """Return how fast work goes between its first tenth and its last."""
    wait_for(lambda: done() >= total // 10, "the first tenth", LIMIT_SECONDS, pause=0.005)
    first, meter = done(), Meter()
    wait_for(lambda: done() >= total - total // 10, "all but the last tenth", LIMIT_SECONDS, pause=0.005)
    return meter.figures(done() - first)


class Meter:
    """Measures time, and the work of all our processes, from its making."""

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self._worked = family_cpu_seconds()

    def figures(self, done: int) -> dict[str, float]:
        """Return how many a second were done, and the processor seconds of all our processes for each."""
        seconds = time.perf_counter() - self._began
        return {"per_second": done / seconds, "cpu_seconds": (family_cpu_seconds() - self._worked) / done}


def _together(options: Options, replicas: int) -> dict[str, float]:
    """Measure the whole way with so many processes of each service."""
    total = options.few(MESSAGES, QUICK_MESSAGES)
    with room(options, "scale") as place:
        messages.write(place / "messages", 5000)
        with (
            systems.sink(place, options.made) as (sink_port, count),
            systems.causeway(place, sink_port, options.made, **dict.fromkeys(STAGES, replicas)) as port,
        ):
            carry(port, count, place / "messages", total // 10, options.sessions)  # warm
            meter = Meter()
            carry(port, count, place / "messages", total, options.sessions)
            return meter.figures(total)


def _redis_use(options: Options) -> Result:
    """Return what Redis does for a message of the mix: commands, bytes on its connections and in its file."""
    total = options.few(MESSAGES, QUICK_MESSAGES)
    with room(options, "scale") as place:
        mean = messages.write(place / "messages", 5000)
        with (
            systems.sink(place, options.made) as (sink_port, count),
            systems.causeway(place, sink_port, options.made) as port,
            systems.opened(systems.embedded_url(place)) as spool,
        ):
            spool.client.config_set("auto-aof-rewrite-percentage", 0)
            carry(port, count, place / "messages", total // 10, options.sessions)  # warm
            [pid] = systems.pids(place)["redis"]
            before, cpu = _counted(spool), cpu_seconds([pid])
            carry(port, count, place / "messages", total, options.sessions)
            after, used = _counted(spool), cpu_seconds([pid]) - cpu
    each = {name: (value - before.get(name, 0)) / total for name, value in after.items()}
    return {
        "mean_octets": mean,
        "cpu_seconds": used / total,
        "each": {name: rate for name, rate in each.items() if rate > 0},
    }


def _counted(spool: Spool) -> dict[str, float]:
    stats, persistence = spool.client.info("stats"), spool.client.info("persistence")
    calls = {
        name.removeprefix("cmdstat_").upper(): float(reported["calls"])
        for name, reported in spool.client.info("commandstats").items()
    }
    return {
        "octets in": stats["total_net_input_bytes"],
        "octets out": stats["total_net_output_bytes"],
        "octets in the append-only file": persistence["aof_current_size"],
        "commands": float(stats["total_commands_processed"]),
        **calls,
    }


def _allowed(one: float, replicas: int, cpu_each: float, cores: int) -> float:
    """Return the most that so many processes may do: as many times what one does, while the cores are not used up."""
    return min(one * replicas, cores / cpu_each)


def table_of(result: Result) -> str:
    """Return the figures for a person."""
    rows = []
    for name, by_replicas in (*result["alone"].items(), ("all together", result["together"])):
        one = Spread.of(found["per_second"] for found in by_replicas["1"]).median
        for replicas, found in by_replicas.items():
            rate = Spread.of(each["per_second"] for each in found)
            cpu = Spread.of(each["cpu_seconds"] for each in found).median
            allowed = _allowed(one, int(replicas), cpu, result["cores"])
            share = f"{rate.median / allowed:.0%}"
            rows.append(
                (
                    name,
                    replicas,
                    rate.formatted(),
                    f"{rate.median / one:.2f}",
                    f"{cpu * 1e6:,.0f}",
                    f"{allowed:,.0f}",
                    share,
                )
            )
    head = ("stage", "processes", "messages/s", "×", "CPU µs a message", "the cores allow", "share of that")
    redis = result["redis"]
    named = [(name, f"{value:,.2f}") for name, value in sorted(redis["each"].items(), key=lambda item: -item[1])]
    most = 1 / redis["cpu_seconds"] if redis["cpu_seconds"] else 0
    works = f"Redis works {redis['cpu_seconds'] * 1e6:,.0f} µs for a message of {redis['mean_octets']:,} octets"
    limit = f"{works}: with a core of its own, {most:,.0f} messages/s at most."
    return f"{table(head, rows)}\n\n{table(('Redis, for a message of the mix', 'each'), named)}\n\n{limit}"


def targets(_result: Result) -> list[Target]:
    """Return nothing: what the cores allow is what there is to reach."""
    return []
