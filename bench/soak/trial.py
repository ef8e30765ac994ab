"""One scenario under way: the gateway, its load, and what is done to it meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any

from bench.soak.ledger import FATES, Ledger
from bench.soak.peers import Peers
from bench.soak.replicas import Gateway
from shared.operations.processes import Child

SESSIONS = 10


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that was done to the gateway. at: monotonic seconds. may_double: messages it may have sent twice."""

    at: float
    what: str
    may_double: int


@dataclass
class Trial:
    """What a scenario acts on.

    seconds: how long it is to last. rate: messages a second, None where none was asked for. facts: what it found, for
    the JSON. remarks: the same in words, for a person. wrong: what ought not to be so, one line each. began: when its
    load did, monotonic seconds.
    """

    gateway: Gateway
    peers: Peers
    ledger: Ledger
    random: Random
    seconds: float
    rate: float | None
    faults: list[Fault] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    began: float = 0.0

    @contextmanager
    def load(self, rate: float, fates: tuple[str, ...] = FATES) -> Iterator[None]:
        """Send inside the block, at the rate that was asked for, else at `rate`; the time of the trial begins."""
        with self.peers.load(self.gateway.port, self.rate or rate, SESSIONS, fates):
            self.began = time.monotonic()
            yield

    def pause(self, seconds: float) -> bool:
        """Wait; False where the time of the trial was up first."""
        left = self.began + self.seconds - time.monotonic()
        time.sleep(max(0.0, min(seconds, left)))
        return left > seconds

    def note(self, what: str, may_double: int = 0) -> None:
        """Note that something is about to be done to the gateway."""
        self.faults.append(Fault(time.monotonic(), what, may_double))

    def kill(self, child: Child) -> None:
        """SIGKILL a process, if it runs. An egress may then have sent its leased messages without a settlement."""
        is_egress = child.program.name.startswith("egress-")
        self.note(f"SIGKILL {child.program.name}", self.gateway.settings.egress.max_in_flight if is_egress else 0)
        if not self.gateway.kill(child):
            self.faults.pop()

    def replace(self, service: str, child: Child) -> None:
        """Start a replica, and once it is ready retire the old one, as a rolling update does."""
        self.gateway.start(service)
        self.note(f"SIGTERM {child.program.name}")
        self.gateway.retire(child)

    @property
    def may_double(self) -> int:
        """How many messages the gateway may have sent twice."""
        return sum(fault.may_double for fault in self.faults)


@dataclass(frozen=True, slots=True)
class Scenario:
    """One row of the fault table.

    fault: what is done, for the table. minutes: how long, where nothing else is asked for. inflict: does it, and
    returns when the trial's time is up. replicas: processes at the start. changes: to the configuration.
    """

    name: str
    fault: str
    minutes: float
    inflict: Callable[[Trial], None]
    replicas: Mapping[str, int] = field(default_factory=lambda: {"ingress": 2, "transform": 2, "egress": 2})
    changes: Mapping[str, Any] = field(default_factory=dict)
