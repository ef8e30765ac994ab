"""`causeway convert`: what the gateway would make of messages in files, without sending anything."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from services.console.extras import needs_extra
from services.console.options import Commands, add_command, add_config
from services.console.output import print_table
from shared.errors import CausewayError
from shared.operations import configuration


def add(commands: Commands) -> None:
    """Register the command."""
    parser = add_command(commands, "convert", "convert message files as between two systems, and send nothing", run)
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="message files, or folders of them")
    parser.add_argument("--from", dest="source", required=True, metavar="SYSTEM", help="the system they come from")
    parser.add_argument("--to", dest="destination", required=True, metavar="SYSTEM", help="the system they go to")
    parser.add_argument("--out", type=Path, metavar="DIR", help="write what would leave into this folder")
    parser.add_argument("--report", action="store_true", help="print a JSON line for each file instead of a table")
    add_config(parser)


def run(options: argparse.Namespace) -> int:
    """Convert every file; fail where one of them could not be read or converted."""
    with needs_extra("transform"):
        from services.transform.app import dry_run
    settings = configuration.load(options.config)
    files = list(_files(options.paths))
    if options.out:
        _refuse_overwriting(files, options.out)
    reports = []
    for root, file in files:
        try:
            result = dry_run(settings, options.source, options.destination, file.read_bytes())
            report = result.to_json(str(file))
            if options.out and report["error"] is None:
                _write(options.out / file.relative_to(root), result.converted)
        except OSError as error:
            reason = f"{error.filename}: {error.strerror}"
            report = {"file": str(file), "bytes": 0, "changed": False, "steps": [], "error": reason}
        reports.append(report)
        if options.report:
            print(json.dumps(report, ensure_ascii=False))
    if not options.report:
        _print_summary(reports)
    return 1 if any(report["error"] for report in reports) else 0


def _print_summary(reports: list[dict[str, Any]]) -> None:
    rows = []
    for report in reports:
        steps = ", ".join(f"{step['name']} ({step['edits']})" for step in report["steps"] if step["edits"])
        rows.append((report["file"], report["bytes"], "yes" if report["changed"] else "no", report["error"] or steps))
    print_table(("FILE", "BYTES", "CHANGED", "STEPS (EDITS) OR ERROR"), rows)


def _files(paths: list[Path]) -> Iterator[tuple[Path, Path]]:
    """Yield each file with the folder that its name below --out is relative to."""
    for path in paths:
        if path.is_dir():
            for file in sorted(path.rglob("*")):
                if file.is_file():
                    yield path, file
        else:
            yield path.parent, path


def _refuse_overwriting(files: list[tuple[Path, Path]], out: Path) -> None:
    inputs = {file.resolve() for _, file in files}
    targets: set[Path] = set()
    for root, file in files:
        target = (out / file.relative_to(root)).resolve()
        if target in inputs:
            raise CausewayError(f"--out: {target} is one of the inputs: choose another folder")
        if target in targets:
            raise CausewayError(f"--out: two inputs would both become {target}: convert them one after the other")
        targets.add(target)


def _write(target: Path, content: bytes) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
