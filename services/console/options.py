"""What several commands take: their options, and how the text of one is read."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared.operations.settings import parse_duration

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]
else:
    Commands = Any

Run = Callable[[argparse.Namespace], int]


def add_command(commands: Commands, name: str, help: str, run: Run) -> argparse.ArgumentParser:
    """Register a command that does `run`; return its parser."""
    parser = commands.add_parser(name, help=help, description=help)
    parser.set_defaults(run=run)
    return parser


def add_config(parser: argparse.ArgumentParser) -> None:
    """Add --config."""
    parser.add_argument("--config", type=Path, metavar="F", help="configuration file (default: ./causeway.yaml)")


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add --json."""
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def add_spool(parser: argparse.ArgumentParser) -> None:
    """Add what finds the spool: --config, and --data for an embedded Redis."""
    add_config(parser)
    add_data(parser)


def add_data(parser: argparse.ArgumentParser) -> None:
    """Add --data."""
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="where embedded Redis keeps the mail (default: ~/.local/share/causeway)",
    )


def moment(text: str) -> float:
    """Read "2h", "3d" (that long ago) or an ISO 8601 date or time as seconds since the epoch."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        pass
    try:
        ago = parse_duration(text)
    except ValueError:
        ago = None
    if not isinstance(ago, timedelta):
        raise argparse.ArgumentTypeError(f"{text} is no moment: write for example 2h, 3d or 2030-01-31T08:00")
    return time.time() - ago.total_seconds()
