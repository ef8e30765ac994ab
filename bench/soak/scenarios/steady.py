"""Nothing is done to the gateway: at 60 % of its capacity it has to stay as it is."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from bench.soak.trial import Scenario, Trial
from bench.soak.vitals import Vitals, sample

SHARE = 0.6
BURST_MESSAGES = 3000
BURST_SESSIONS = 20
BURST_SECONDS = 300.0
SAMPLE_SECONDS = 10.0
LATENCY_FACTOR, LATENCY_SLACK_SECONDS = 2.0, 0.5
HISTORY_SECONDS = 30
"""How long a finished message's history stays: the spool reaches its level after this, not after the usual day."""


@dataclass(frozen=True, slots=True)
class Gauge:
    """What has to stay flat: its median in the last quarter is at most that of the first times factor plus slack."""

    name: str
    read: Callable[[Vitals], int]
    factor: float
    slack: int


def capacity(trial: Trial) -> float:
    """Return how many messages a second go through at full speed, from the first one's start to the last one's end."""
    ledger, before, began = trial.ledger, 0, 0.0
    for _ in range(2):  # the first warms
        before, began = ledger.begun, time.monotonic()
        trial.peers.burst(trial.gateway.port, BURST_MESSAGES, BURST_SESSIONS)
        while ledger.lost() and time.monotonic() - began < BURST_SECONDS:
            time.sleep(0.05)
    return (ledger.begun - before) / (time.monotonic() - began)


def inflict(trial: Trial) -> None:
    """Measure the capacity, then send a share of it all the time and sample."""
    trial.facts["capacity_per_second"] = most = capacity(trial)
    samples: list[Vitals] = []
    with trial.load(SHARE * most, fates=("taken", "later", "refused")):
        trial.pause(1.5 * HISTORY_SECONDS)  # until the spool has its level
        began = time.monotonic()
        while trial.pause(SAMPLE_SECONDS):
            samples.append(sample(trial.gateway))
        ended = time.monotonic()
    trial.facts["rate_per_second"] = trial.rate or SHARE * most
    trial.facts["samples"] = [reading.to_json() for reading in samples]
    quarter = len(samples) // 4
    if not quarter:
        trial.wrong.append("too short to compare its quarters: give it 2 minutes or more")
        return
    trial.remarks.append(f"capacity {most:.0f} messages a second, sent {trial.facts['rate_per_second']:.0f}")
    _compare(trial, samples[:quarter], samples[-quarter:])
    _compare_latencies(trial, began, ended)


def _gauges(names: Sequence[str]) -> Iterator[Gauge]:
    for name in names:
        yield Gauge(f"{name} rss_bytes", lambda gauged, name=name: gauged.processes[name].rss_bytes, 1.1, 8 << 20)  # type: ignore[misc]
        yield Gauge(f"{name} files", lambda gauged, name=name: gauged.processes[name].files, 1.1, 10)  # type: ignore[misc]
        yield Gauge(f"{name} threads", lambda gauged, name=name: gauged.processes[name].threads, 1.0, 2)  # type: ignore[misc]
    yield Gauge("keys in Redis", lambda gauged: gauged.keys, 1.5, 1000)
    yield Gauge("used_bytes of Redis", lambda gauged: gauged.used_bytes, 1.5, 8 << 20)


def _compare(trial: Trial, first: Sequence[Vitals], last: Sequence[Vitals]) -> None:
    quarters = trial.facts["quarters"] = {}
    for gauge in _gauges(sorted(first[0].processes)):
        before, after = (statistics.median(map(gauge.read, quarter)) for quarter in (first, last))
        quarters[gauge.name] = [before, after]
        trial.remarks.append(f"{gauge.name:<24} first quarter {before:>14,.0f}   last quarter {after:>14,.0f}")
        if after > before * gauge.factor + gauge.slack:
            trial.wrong.append(f"{gauge.name} grew from {before:,.0f} to {after:,.0f}")


def _compare_latencies(trial: Trial, began: float, ended: float) -> None:
    quarter = (ended - began) / 4
    medians = []
    for name, since in (("first", began), ("last", ended - quarter)):
        found = trial.ledger.latencies(since, since + quarter) or [0.0]
        p50, p99 = found[len(found) // 2], found[len(found) * 99 // 100]
        trial.facts[f"latency_{name}_quarter"] = {"p50": p50, "p99": p99, "messages": len(found)}
        trial.remarks.append(f"250 to delivery, {name} quarter: p50 {p50:.3f} s, p99 {p99:.3f} s")
        medians.append(p50)
    if medians[1] > medians[0] * LATENCY_FACTOR + LATENCY_SLACK_SECONDS:
        trial.wrong.append(f"the median latency grew from {medians[0]:.3f} to {medians[1]:.3f} s")


SCENARIO = Scenario(
    "steady",
    "none: 60 % of capacity",
    60,
    inflict,
    replicas={"ingress": 1, "transform": 1, "egress": 1},
    changes={"redis": {"history": f"{HISTORY_SECONDS}s"}},
)
