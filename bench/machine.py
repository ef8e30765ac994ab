"""What was measured on: processor, memory, disk, versions. Figures mean little without it."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from importlib.metadata import version
from pathlib import Path

from shared.operations import embedded_redis

FSYNC_SECONDS = 2.0
BLOCK = b"x" * 4096


def describe(directory: Path) -> dict[str, str]:
    """Return the machine for a person. directory: where queues and append-only files are going to be."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "memory": f"{memory / 2**30:.0f} GiB",
        "disk": f"{fsyncs_per_second(directory):,.0f} fsync/s of appended 4 KiB in {directory.parent}",
        "load before": " ".join(f"{load:.2f}" for load in os.getloadavg()),
        "system": f"{platform.system()} {platform.release()}",
        "versions": ", ".join(
            (
                f"Python {platform.python_version()}",
                f"Redis {_answer(str(embedded_redis.find_redis_server()), '--version', word=2).removeprefix('v=')}",
                f"Postfix {_answer('postconf', '-h', 'mail_version', word=0)}",
                *(f"{name} {version(name)}" for name in ("rq", "redis", "uvloop", "aiosmtpd", "aiosmtplib")),
            )
        ),
        "causeway": _answer("git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", word=0),
    }


def fsyncs_per_second(directory: Path) -> float:
    """Return how often a second the disk takes an append of a block and says that it is safe."""
    path = directory / "fsync"
    done, began = 0, time.perf_counter()
    with path.open("wb", buffering=0) as file:
        while time.perf_counter() - began < FSYNC_SECONDS:
            file.write(BLOCK)
            os.fsync(file.fileno())
            done += 1
    seconds = time.perf_counter() - began
    path.unlink()
    return done / seconds


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _answer(*command: str, word: int) -> str:
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.split()
    except (OSError, subprocess.CalledProcessError):
        return "(not here)"
    return found[word] if len(found) > word else "(unknown)"
