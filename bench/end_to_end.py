"""End to end: load → system → TLS sink. Causeway converts at `durability: fsync`, Postfix relays as it is.

Both systems run in one call, turn by turn on the same machine, against the same sink; medians and spread are printed
as a table and written as JSON. Needs root and Debian's postfix.

    python -m bench.end_to_end --size 5000 --messages 3000 --rounds 5
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from bench import messages, systems
from shared.operations import certificates

LIMIT_SECONDS = 300


def measure(port: int, count: Path, prepared: Path, total: int, sessions: int) -> dict[str, float]:
    """Send `total` messages and wait until the sink has them; return messages a second and the accept latency."""
    before = int(count.read_text())
    command = [sys.executable, "-m", "bench.load", "--port", str(port), "--messages", str(prepared)]
    command += ["--total", str(total), "--sessions", str(sessions)]
    began = time.perf_counter()
    sent = json.loads(subprocess.run(command, check=True, capture_output=True, timeout=LIMIT_SECONDS).stdout)
    while int(count.read_text()) - before < total:
        if time.perf_counter() - began > LIMIT_SECONDS:
            raise RuntimeError(f"only {int(count.read_text()) - before} of {total} messages arrived")
        time.sleep(0.02)
    return {"per_second": total / (time.perf_counter() - began), **sent}


def compare(options: argparse.Namespace, directory: Path) -> dict[str, Any]:
    """Run every round of every system; return all figures."""
    made = certificates.self_signed(directory / "tls", ["localhost", "127.0.0.1"])
    mean = messages.write(directory / "messages", options.size)
    rounds: dict[str, list[dict[str, float]]] = {"causeway": [], "postfix": []}
    with systems.sink(directory, made) as (sink_port, count):
        for number in range(options.rounds):
            for name, found in rounds.items():
                place = directory / f"{name}-{number}"
                place.mkdir()
                starts: dict[str, Callable[[], AbstractContextManager[int]]] = {
                    "causeway": lambda place=place: systems.causeway(place, sink_port, made),  # type: ignore[misc]
                    "postfix": lambda place=place: systems.postfix(place, sink_port),  # type: ignore[misc]
                }
                with starts[name]() as port:
                    measure(port, count, directory / "messages", 200, options.sessions)  # warm
                    found.append(measure(port, count, directory / "messages", options.messages, options.sessions))
                shutil.rmtree(place)
    return {"size": options.size, "mean_octets": mean, "messages": options.messages, "rounds": rounds}


def table(result: dict[str, Any]) -> str:
    """Return the figures for a person."""
    lines = [f"{result['messages']} messages of {result['mean_octets']:,} octets; messages a second:"]
    medians = {}
    for name, found in result["rounds"].items():
        rates = [one["per_second"] for one in found]
        medians[name] = statistics.median(rates)
        lines.append(f"  {name:<10} median {medians[name]:7.0f}   min {min(rates):7.0f}   max {max(rates):7.0f}")
    pairs = zip(result["rounds"]["causeway"], result["rounds"]["postfix"], strict=True)
    ratios = sorted(ours["per_second"] / theirs["per_second"] for ours, theirs in pairs)
    lines.append(f"  ratio      median {statistics.median(ratios):7.2f}   min {ratios[0]:7.2f}   max {ratios[-1]:7.2f}")
    return "\n".join(lines)


def main() -> None:
    """Read the options, compare, print."""
    parser = argparse.ArgumentParser(prog="end_to_end", description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--size", type=int, default=5000)
    parser.add_argument("--messages", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sessions", type=int, default=20)
    parser.add_argument("--json", type=Path, help="write every figure there")
    options = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="causeway-bench-", dir="/var/tmp"))
    directory.chmod(0o755)
    try:
        result = compare(options, directory)
    finally:
        shutil.rmtree(directory)
    if options.json:
        options.json.write_text(json.dumps(result, indent=2))
    print(table(result))


if __name__ == "__main__":
    main()
