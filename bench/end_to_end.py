"""End to end: load → system → TLS sink. Causeway converts and syncs every write; so does Postfix with a content filter.

Postfix alone relays as it is. All run in one call, turn by turn on the same machine against the same sink, after each
was seen to convert what it should.
"""

from __future__ import annotations

from bench import honesty, messages, postfix, systems
from bench.figures import Spread, Target, sized, table
from bench.runs import Options, Result, carry, room

MESSAGES = {5_000: 6000, 100_000: 1600, 5_000_000: 150}
QUICK_MESSAGES = {5_000: 300, 100_000: 60, 5_000_000: 10}
WANTED = {("alone", 5_000): 2.0, ("filter", 5_000): 4.0, ("alone", 100_000): 1.5, ("alone", 5_000_000): 1.5}
NAMES = {"causeway": "Causeway", "alone": "Postfix alone", "filter": "Postfix with filter"}


def starts(options: Options) -> dict[str, systems.Start]:
    """Return how each system is started, by name."""
    return {
        "causeway": lambda place, sink_port: systems.causeway(place, sink_port, options.made),
        "alone": postfix.alone,
        "filter": lambda place, sink_port: postfix.with_filter(
            place, sink_port, options.made, options.filter_processes
        ),
    }


def run(options: Options) -> Result:
    """Run every round of every system at every size."""
    started = starts(options)
    checked = {name: honesty.check(options, start, name, converts=name != "alone") for name, start in started.items()}
    counts = QUICK_MESSAGES if options.quick else MESSAGES
    sizes = [_compare(options, started, size, total) for size, total in counts.items()]
    return {"converted": checked, "sessions": options.sessions, "sizes": sizes}


def _compare(options: Options, started: dict[str, systems.Start], size: int, total: int) -> Result:
    found: dict[str, list[dict[str, float]]] = {name: [] for name in started}
    names = list(started)
    with room(options, f"end-to-end-{size}") as place:
        prepared = place / "messages"
        mean = messages.write(prepared, size)
        with systems.sink(place, options.made) as (sink_port, count):
            for number in range(options.rounds):
                for name in names[number % len(names) :] + names[: number % len(names)]:
                    with (
                        room(options, f"end-to-end-{size}/{name}-{number}") as own,
                        started[name](own, sink_port) as port,
                    ):
                        carry(port, count, prepared, max(total // 15, 20), options.sessions)  # warm
                        found[name].append(carry(port, count, prepared, total, options.sessions))
    return {"size": size, "mean_octets": mean, "messages": total, "rounds": found}


def _ratios(sizes: Result, other: str) -> Spread:
    pairs = zip(sizes["rounds"]["causeway"], sizes["rounds"][other], strict=True)
    return Spread.of(ours["per_second"] / theirs["per_second"] for ours, theirs in pairs)


def table_of(result: Result) -> str:
    """Return the figures for a person."""
    rows = []
    for sizes in result["sizes"]:
        for name, rounds in sizes["rounds"].items():
            rate, p50, p99 = (
                Spread.of(measured[key] for measured in rounds) for key in ("per_second", "accept_p50", "accept_p99")
            )
            ratio = "" if name == "causeway" else _ratios(sizes, name).formatted(2)
            size = f"{sized(sizes['size'])}, {sizes['messages']} messages"
            rows.append(
                (size, NAMES[name], rate.formatted(), f"{p50.median * 1000:.1f}", f"{p99.median * 1000:.1f}", ratio)
            )
    head = ("size", "system", "messages/s", "accept p50 ms", "accept p99 ms", "Causeway is faster by")
    return table(head, rows)


def targets(result: Result) -> list[Target]:
    """Return what was wanted beside what was found."""
    by_size = {sizes["size"]: sizes for sizes in result["sizes"]}
    return [
        Target(
            f"{sized(size)}: Causeway against {NAMES[other]}", _ratios(by_size[size], other).median, wanted, unit="×"
        )
        for (other, size), wanted in WANTED.items()
        if size in by_size
    ]
