"""Run the benchmarks, or those that are named; print their tables, and write every figure to build/bench/*.json.

python -m bench                      all, in their order
python -m bench latency stages       some
python -m bench --quick              little of each, to see that all works
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

from bench import backlog, conversion, crowd, end_to_end, jobs, latency, machine, scale, stages
from bench.figures import Target, table, targets_table
from bench.runs import Options
from shared.operations import certificates

BENCHMARKS: dict[str, ModuleType] = {
    "end_to_end": end_to_end,
    "stages": stages,
    "jobs": jobs,
    "latency": latency,
    "conversion": conversion,
    "crowd": crowd,
    "backlog": backlog,
    "scale": scale,
}
"""Each has `run(options)`, `table_of(result)`, and `targets(result)`; its docstring says what it measures."""


def title(module: ModuleType) -> str:
    """Return the first line of what a benchmark says of itself."""
    return (module.__doc__ or "").partition("\n")[0]


def main() -> int:
    """Run what was asked for; return 0, or 1 where a benchmark could not be run."""
    parser = argparse.ArgumentParser(
        prog="bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--quick", action="store_true", help="little of each: the figures mean nothing")
    parser.add_argument("--rounds", type=int, help="rounds of each comparison (default: 5, quick 2)")
    parser.add_argument("--sessions", type=int, default=20, help="sessions that send")
    parser.add_argument("--filter-processes", type=int, default=2, help="of Postfix's content filter")
    parser.add_argument("--waiting", type=int, help="messages of a full spool (default: 1000000, quick 2000)")
    parser.add_argument("--out", type=Path, default=Path("build/bench"), help="where the JSON goes")
    parser.add_argument("--work", type=Path, default=Path("/var/tmp"), help="the disk to measure on")
    options = parser.parse_args()
    if unknown := [name for name in options.names if name not in BENCHMARKS]:
        parser.error(f"there is no benchmark {unknown[0]}: name some of {', '.join(BENCHMARKS)}")
    if os.getuid() != 0 or shutil.which("postfix") is None:
        parser.error("Postfix has to be started: run as root, and apt install postfix")
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(143))
    directory = Path(tempfile.mkdtemp(prefix="causeway-bench-", dir=options.work))
    directory.chmod(0o755)  # Postfix has a user of its own
    try:
        return run_all(options, directory)
    finally:
        shutil.rmtree(directory)


def run_all(options: argparse.Namespace, directory: Path) -> int:
    """Run the benchmarks in a folder; print and write what they found."""
    chosen = Options(
        directory,
        certificates.self_signed(directory / "tls", ["localhost", "127.0.0.1"]),
        rounds=options.rounds or (2 if options.quick else 5),
        sessions=options.sessions,
        filter_processes=options.filter_processes,
        waiting=options.waiting or (2000 if options.quick else 1_000_000),
        quick=options.quick,
    )
    described = {"at": datetime.now(UTC).isoformat(timespec="seconds"), **machine.describe(directory)}
    print(table(("machine", ""), described.items()), flush=True)
    options.out.mkdir(parents=True, exist_ok=True)
    failed, all_targets = False, []
    for name in options.names or BENCHMARKS:
        began = time.monotonic()
        try:
            result = BENCHMARKS[name].run(chosen)
        except Exception:  # noqa: BLE001 the others may still run
            print(f"\n## {name}: failed\n\n{traceback.format_exc()}", flush=True)
            failed = True
            continue
        targets: list[Target] = BENCHMARKS[name].targets(result)
        all_targets += targets
        seconds = time.monotonic() - began
        print(f"\n## {title(BENCHMARKS[name])} ({seconds:.0f} s)\n\n{BENCHMARKS[name].table_of(result)}", flush=True)
        written = {
            "machine": described,
            "quick": chosen.quick,
            "seconds": seconds,
            "result": result,
            "targets": [
                dict(zip(("name", "wanted", "measured", "is_met"), (*target.row()[:3], target.is_met), strict=True))
                for target in targets
            ],
        }
        (options.out / f"{name}.json").write_text(json.dumps(written, indent=2))
    if all_targets:
        print(f"\n## Targets\n\n{targets_table(all_targets)}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
