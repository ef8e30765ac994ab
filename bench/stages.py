"""Stages: processor microseconds a message of each service and of Redis, and of each conversion step."""

from __future__ import annotations

from bench import messages, steps, systems
from bench.figures import Spread, Target, sized, table
from bench.processes import cpu_seconds
from bench.runs import Options, Result, carry, room

MESSAGES = {5_000: 2000, 100_000: 600, 5_000_000: 40}
QUICK_MESSAGES = {5_000: 200, 100_000: 40, 5_000_000: 5}
ROUNDS = 3


def run(options: Options) -> Result:
    """Measure the services in a running gateway, and the steps one by one in this process."""
    counts = QUICK_MESSAGES if options.quick else MESSAGES
    rounds = min(options.rounds, ROUNDS)
    sizes = [_size(options, size, total, rounds) for size, total in counts.items()]
    return {"rounds": rounds, "sizes": sizes, "steps": [steps.measure(size, options.few(10, 1)) for size in counts]}


def _size(options: Options, size: int, total: int, rounds: int) -> Result:
    found: dict[str, list[float]] = {name: [] for name in systems.PROGRAMS}
    with room(options, f"stages-{size}") as place:
        messages.write(place / "messages", size)
        with (
            systems.sink(place, options.made) as (sink_port, count),
            systems.causeway(place, sink_port, options.made) as port,
        ):
            carry(port, count, place / "messages", max(total // 10, 20), options.sessions)  # warm
            pids = systems.pids(place)
            for _ in range(rounds):
                before = {name: cpu_seconds(pids[name]) for name in found}
                carry(port, count, place / "messages", total, options.sessions)
                for name, used in found.items():
                    used.append((cpu_seconds(pids[name]) - before[name]) / total * 1e6)
    return {"size": size, "messages": total, "microseconds": found}


def table_of(result: Result) -> str:
    """Return the figures for a person."""
    rows = []
    for sizes in result["sizes"]:
        spreads = [Spread.of(sizes["microseconds"][name]) for name in systems.PROGRAMS]
        whole = sum(spread.median for spread in spreads)
        rows.append((f"{sized(sizes['size'])}", *(spread.formatted() for spread in spreads), f"{whole:,.0f}"))
    services = table(("CPU µs a message", *systems.PROGRAMS, "all"), rows)
    return f"{services}\n\n{steps.table_of(result['steps'])}"


def targets(_result: Result) -> list[Target]:
    """Return nothing: where the time goes has no target of its own."""
    return []
