"""How the gateway's processes and Redis do: memory, file descriptors, threads, keys."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.soak.replicas import Gateway


@dataclass(frozen=True, slots=True)
class Process:
    """One process. rss_bytes: resident memory."""

    rss_bytes: int
    files: int
    threads: int


@dataclass(frozen=True, slots=True)
class Vitals:
    """A sample. at: monotonic seconds. used_bytes: Redis' own count of its memory."""

    at: float
    keys: int
    used_bytes: int
    processes: dict[str, Process] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return asdict(self)


def process(pid: int) -> Process:
    """Read one process. Raises OSError where it is gone."""
    folder = Path(f"/proc/{pid}")
    status = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
    files = sum(1 for _ in (folder / "fd").iterdir())
    return Process(int(status["VmRSS"].split()[0]) * 1024, files, int(status["Threads"]))


def sample(gateway: Gateway) -> Vitals:
    """Read all that runs now."""
    with gateway.client() as client:
        used: Any = client.info("memory")
        keys: Any = client.dbsize()
    found = {child.program.name: process(child.pid) for child in gateway.children if child.pid is not None}
    return Vitals(time.monotonic(), keys, used["used_memory"], found)
