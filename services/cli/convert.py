"""`causeway convert`: converts messages in files as the gateway would, without sending anything."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from services.cli.options import Commands, UsageError, add_command, add_config
from services.cli.output import print_table, printable
from shared import configuration
from shared.administration.private_file import write_private
from shared.configuration.settings import Settings
from shared.errors import CausewayError
from shared.runtime.extras import needs_extra


def add(commands: Commands) -> None:
    """Register the command."""
    parser = add_command(
        commands,
        "convert",
        "convert message files as the gateway would between two systems; nothing is sent",
        run,
        "example: causeway convert mail/ --from notes --to exchange --out converted",
    )
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="message files, or folders of them")
    without = "without a configuration: notes, domino or exchange"
    parser.add_argument(
        "--from", dest="source", required=True, metavar="SYSTEM", help=f"the system they come from; {without}"
    )
    parser.add_argument("--to", dest="destination", required=True, metavar="SYSTEM", help="the system they go to")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="write the converted messages into this folder, as new files"
    )
    parser.add_argument(
        "--report", "--json", action="store_true", help="print a JSON line for each file instead of a table"
    )
    add_config(parser)


def run(options: argparse.Namespace) -> int:
    """Convert every file; fail where one of them cannot be read or converted."""
    with needs_extra("transform"):
        from services.transform.app import dry_run
    settings = configuration.load(options.config)
    _refuse_unknown(settings, options)
    files = list(_files(options.paths))
    if not files:
        raise CausewayError(f"{', '.join(map(str, options.paths))}: no files")
    if options.out:
        _refuse_overwriting(files, options.out)
    reports: list[dict[str, Any]] = []
    written: list[Path] = []
    for root, file in files:
        try:
            result = dry_run(settings, options.source, options.destination, file.read_bytes())
            report = result.to_json(str(file))
            if options.out and report["error"] is None:
                target = options.out / file.relative_to(root)
                write_private(target, result.converted)
                written.append(target)
        except OSError as error:
            reason = f"{error.filename}: {error.strerror}"
            report = {"file": str(file), "bytes": 0, "changed": False, "steps": [], "error": reason}
        reports.append(report)
        if options.report:
            print(json.dumps(report, ensure_ascii=False))
    if not options.report:
        _print_summary(reports)
        for target in written:
            print(f"written: {printable(str(target))}")
    return 1 if any(report["error"] for report in reports) else 0


def _print_summary(reports: list[dict[str, Any]]) -> None:
    rows = []
    for report in reports:
        steps = ", ".join(f"{step['name']} ({step['edits']})" for step in report["steps"] if step["edits"])
        changed = None if report["error"] else "yes" if report["changed"] else "no"
        rows.append((report["file"], report["bytes"] or None, changed, report["error"] or steps))
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


def _refuse_unknown(settings: Settings, options: argparse.Namespace) -> None:
    from services.transform.app import known_systems

    known = known_systems(settings)
    for option, name in (("--from", options.source), ("--to", options.destination)):
        if name not in known:
            raise UsageError(f'{option}: unknown system "{name}": use one of {", ".join(sorted(known))}')


def _refuse_overwriting(files: list[tuple[Path, Path]], out: Path) -> None:
    inputs = {file.resolve() for _, file in files}
    targets: set[Path] = set()
    for root, file in files:
        target = (out / file.relative_to(root)).resolve()
        if target in inputs:
            raise CausewayError(f"--out: {target} is one of the inputs: choose another folder")
        if target in targets:
            raise CausewayError(
                f"--out: two inputs would both be written to {target}: convert them one after the other"
            )
        if target.exists():
            raise CausewayError(f"--out: {target} exists already: choose another folder, or remove it")
        targets.add(target)
