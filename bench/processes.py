"""Programs under measurement: what the kernel counts of them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

START_SECONDS = 120
TICKS = os.sysconf("SC_CLK_TCK")


def wait_for(condition: Callable[[], object], what: str, seconds: float = START_SECONDS, pause: float = 0.05) -> None:
    """Wait until the condition holds. Raises RuntimeError after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"{what}: not within {seconds:g} s")
        time.sleep(pause)


def cpu_seconds(pids: Iterable[int]) -> float:
    """Return the processor time that processes have used so far, in user mode and in the kernel."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / TICKS


def family_cpu_seconds() -> float:
    """Return the processor time that we, our children that have ended and all our living descendants have used."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    descendants, newest = set[int](), {os.getpid()}
    while newest := {pid for pid, parent in parents.items() if parent in newest}:
        descendants |= newest
    return sum(os.times()[:4]) + cpu_seconds(descendants)


def peak_bytes(pid: int) -> int:
    """Return the most memory that a process ever had resident."""
    return _status_bytes(pid, "VmHWM")


def resident_bytes(pid: int) -> int:
    """Return the memory that a process has resident."""
    return _status_bytes(pid, "VmRSS")


def _status_bytes(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"process {pid} has no {name}")
