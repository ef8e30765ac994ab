"""Latency: from accepted to delivered at 25, 50 and 80 % of the measured capacity, messages due at regular times.

Postfix alone carries as many messages a second as Causeway's 50 %, or half of its own capacity where that is too much:
then so does Causeway, in a run of its own. "sent" is when a message was due, so that waiting for a session counts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from bench import messages, postfix, systems
from bench.figures import Spread, Target, percentile, table
from bench.runs import Options, Result, carry, room

SIZE = 5_000
SHARES = (0.25, 0.5, 0.8)
SECONDS = 10
CAPACITY_MESSAGES = 2000
COMPARED = "same rate"
BEARABLE = 0.9
"""The share of a measured capacity above which a queue may grow without end, and a percentile means nothing."""


class Place:
    """Where a system is measured: its sink's count and arrivals, and the mail to send to it."""

    def __init__(self, options: Options, folder: Path, port: int, count: Path) -> None:
        self.options = options
        self.folder = folder
        self._port = port
        self._count = count
        self._first = 0

    def capacity(self) -> float:
        """Return messages a second as fast as can be, of the second run."""
        total = self.options.few(CAPACITY_MESSAGES, 100)
        self._carry(total // 4)
        return self._carry(total)["per_second"]

    def at(self, rate: float) -> dict[str, float]:
        """Return the percentiles at a rate."""
        total = max(int(rate * self.options.few(SECONDS, 1)), 20)
        sent = self.folder / "sent.json"
        self._carry(total, "--rate", str(rate), "--sent", str(sent))
        arrived = arrivals(self.folder / "arrivals")
        accepted_to, sent_to = [], []
        for number, due, accepted in json.loads(sent.read_text()):
            accepted_to.append(max(arrived[number] - accepted, 0.0))
            sent_to.append(arrived[number] - due)
        reported = {"rate": rate, "messages": float(total)}
        for name, seconds in (("accepted", accepted_to), ("sent", sent_to)):
            reported |= {f"{name}_p50": percentile(seconds, 0.5), f"{name}_p99": percentile(seconds, 0.99)}
        return reported

    def _carry(self, total: int, *more: str) -> dict[str, float]:
        first, self._first = self._first, self._first + total
        prepared = self.folder / "messages"
        sessions = self.options.sessions
        return carry(self._port, self._count, prepared, total, sessions, "--first", str(first), *more)


def arrivals(path: Path) -> dict[int, float]:
    """Read when each message came to the sink first, by its number."""
    found: dict[int, float] = {}
    for line in path.read_text().splitlines():
        number, _, seconds = line.partition(" ")
        found.setdefault(int(number), float(seconds))
    return found


def run(options: Options) -> Result:
    """Measure both systems in turn, `options.rounds` times."""
    return {"rounds": [_round(options) for _ in range(options.rounds)]}


def common_rate(capacity: float, their_capacity: float) -> float:
    """Return half of our capacity; half of theirs where that would be more than they can bear."""
    return capacity / 2 if capacity / 2 <= BEARABLE * their_capacity else their_capacity / 2


def _round(options: Options) -> Result:
    def causeway(place: Path, sink_port: int) -> AbstractContextManager[int]:
        return systems.causeway(place, sink_port, options.made)

    with _place(options, causeway) as ours:
        capacity = ours.capacity()
        found = {"capacity": capacity, **{f"{share:.0%}": ours.at(share * capacity) for share in SHARES}}
    with _place(options, postfix.alone) as theirs:
        their_capacity = theirs.capacity()
        rate = common_rate(capacity, their_capacity)
        relayed = theirs.at(rate)
    could = rate == capacity / 2
    if could:
        found[COMPARED] = found["50%"]
    else:
        with _place(options, causeway) as ours:
            ours.capacity()  # as warm as it was for the others
            found[COMPARED] = ours.at(rate)
    return {"causeway": found, "postfix": {"capacity": their_capacity, COMPARED: relayed}, "postfix_could": could}


@contextmanager
def _place(options: Options, start: systems.Start) -> Iterator[Place]:
    with room(options, "latency") as folder:
        messages.write(folder / "messages", SIZE)
        with (
            systems.sink(folder, options.made, "--arrivals", str(folder / "arrivals")) as (sink_port, count),
            start(folder, sink_port) as port,
        ):
            yield Place(options, folder, port, count)


def _row(name: str, load: str, rounds: list[dict[str, float]]) -> tuple[str, ...]:
    """Return the medians of some rounds in milliseconds."""
    keys = ("accepted_p50", "accepted_p99", "sent_p50", "sent_p99")
    rate = Spread.of(measured["rate"] for measured in rounds).formatted()
    return (
        name,
        load,
        rate,
        *(Spread.of(measured[key] for measured in rounds).formatted(1, factor=1000) for key in keys),
    )


def table_of(result: Result) -> str:
    """Return the figures for a person."""
    rounds = result["rounds"]
    loads = [f"{share:.0%}" for share in SHARES]
    rows = [_row("Causeway", load, [measured["causeway"][load] for measured in rounds]) for load in loads]
    for name in ("causeway", "postfix"):
        shown = "Causeway" if name == "causeway" else "Postfix alone"
        rows.append(_row(shown, COMPARED, [measured[name][COMPARED] for measured in rounds]))
    head = (
        "system",
        "load",
        "messages/s",
        "accepted to delivered: p50 ms",
        "p99 ms",
        "due to delivered: p50 ms",
        "p99 ms",
    )
    capacities = "; ".join(
        f"{name} {Spread.of(measured[key]['capacity'] for measured in rounds).formatted()}"
        for name, key in (("Causeway", "causeway"), ("Postfix alone", "postfix"))
    )
    could = sum(measured["postfix_could"] for measured in rounds)
    meaning = (
        f"The same rate is half of Causeway's capacity in {could} of {len(rounds)} rounds, else half of Postfix's."
    )
    return f"Capacity in messages/s: {capacities}. {meaning}\n\n{table(head, rows)}"


def targets(result: Result) -> list[Target]:
    """Return what was wanted beside what was found."""
    ours, theirs = (
        Spread.of(one[name][COMPARED]["accepted_p99"] for one in result["rounds"]).median * 1000
        for name in ("causeway", "postfix")
    )
    return [Target("p99 at 50 % load, below Postfix's at the same rate", ours, theirs, at_least=False, unit=" ms")]
