"""What every benchmark is given, and the one way in which they send mail and wait until it has arrived."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.processes import wait_for
from shared.operations import certificates

LIMIT_SECONDS = 600

Result = dict[str, Any]
"""The figures of a benchmark, ready for JSON."""


@dataclass(frozen=True, slots=True)
class Options:
    """How to run. directory: for everything, removed afterwards; Postfix's own user has to reach it.

    quick: so little that the figures mean nothing, to see that all works. waiting: the messages of a full spool.
    """

    directory: Path
    made: certificates.SelfSigned
    rounds: int = 5
    sessions: int = 20
    filter_processes: int = 2
    waiting: int = 1_000_000
    quick: bool = False

    def few(self, many: int, few: int) -> int:
        """Return how much to do: `many`, or few where it shall be quick."""
        return few if self.quick else many


@contextmanager
def room(options: Options, name: str) -> Iterator[Path]:
    """Make a folder for one run, and remove it afterwards."""
    place = options.directory / name
    place.mkdir(parents=True)
    try:
        yield place
    finally:
        shutil.rmtree(place)


def send(port: int, prepared: Path, total: int, sessions: int, *more: str) -> dict[str, float]:
    """Send `total` of the prepared messages; return the result of `bench.load`. more: additional options for it."""
    command = [sys.executable, "-m", "bench.load", "--port", str(port), "--messages", str(prepared)]
    command += ["--total", str(total), "--sessions", str(sessions), *more]
    answer = subprocess.run(command, check=False, capture_output=True, text=True, timeout=LIMIT_SECONDS)
    if answer.returncode:
        raise RuntimeError(f"the load was not taken: {answer.stderr.strip().splitlines()[-1]}")
    result: dict[str, float] = json.loads(answer.stdout)
    return result


def carry(port: int, count: Path, prepared: Path, total: int, sessions: int, *more: str) -> dict[str, float]:
    """Send messages and wait until the sink has them; return messages per second and the result of the load."""
    before = taken(count)
    began = time.perf_counter()
    sent = send(port, prepared, total, sessions, *more)
    wait_for(lambda: taken(count) - before >= total, f"{total} messages at the sink", LIMIT_SECONDS, pause=0.01)
    return {"per_second": total / (time.perf_counter() - began), **sent}


def taken(count: Path) -> int:
    """Return how many messages the sink has taken."""
    return int(count.read_text())
