"""What several commands take: their options, and how the text of one is read."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared.configuration.settings import Settings
from shared.configuration.values import parse_duration
from shared.errors import CausewayError

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]
else:
    Commands = Any

Run = Callable[[argparse.Namespace], int]


class UsageError(CausewayError):
    """The command was called wrongly, as only its configuration can tell: exit code 2."""


def system_named(settings: Settings, name: str, option: str) -> str:
    """Return the name of a system. Raises UsageError, with the names there are, where none is so called."""
    names = [system.name for system in settings.systems]
    if name not in names:
        raise UsageError(f'{option}: no system is named "{name}": name one of {", ".join(names) or "none yet"}')
    return name


def add_command(commands: Commands, name: str, help: str, run: Run, examples: str = "") -> argparse.ArgumentParser:
    """Register a command that does `run`; return its parser. examples: for the end of its --help."""
    parser = commands.add_parser(
        name,
        help=help,
        description=f"{help[0].upper()}{help[1:]}.",
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    return parser


def add_config(parser: argparse.ArgumentParser) -> None:
    """Add --config."""
    parser.add_argument(
        "--config", type=Path, metavar="F", help="configuration file (default: $CAUSEWAY_CONFIG, else ./causeway.yaml)"
    )


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
        help="where embedded Redis keeps the mail (default: $CAUSEWAY_DATA, else ~/.local/share/causeway)",
    )


def count(text: str) -> int:
    """Read a whole number above zero."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is no number above zero")
    return int(text)


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
