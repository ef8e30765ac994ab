"""The options that several commands share, and how their text is parsed."""

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
from shared.runtime.options import add_config as add_config  # noqa: PLC0414 (one of the options of commands, too)

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]
else:
    Commands = Any

Run = Callable[[argparse.Namespace], int]


class UsageError(CausewayError):
    """Wrong usage that shows only in view of the configuration: exit code 2."""


def system_named(settings: Settings, name: str, option: str) -> str:
    """Return the name of a system. Raises UsageError, which lists the systems, for any other name."""
    names = [system.name for system in settings.systems]
    if name not in names:
        raise UsageError(
            f'{option}: unknown system "{name}": use one of {", ".join(names) or "none, systems is empty"}'
        )
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


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add --json."""
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def add_spool(parser: argparse.ArgumentParser) -> None:
    """Add the options that locate the spool: --config, and --data for an embedded Redis."""
    add_config(parser)
    add_data(parser)


def add_data(parser: argparse.ArgumentParser) -> None:
    """Add --data."""
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="folder of the embedded Redis (default: $CAUSEWAY_DATA, else ~/.local/share/causeway)",
    )


def positive_number(text: str) -> int:
    """Read a positive whole number. Raises ArgumentTypeError."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f'not a positive number: "{text}"')
    return int(text)


def moment(text: str) -> float:
    """Read "2h", "3d" (ago) or an ISO 8601 date or time as seconds since the epoch. Raises ArgumentTypeError."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        pass
    try:
        ago = parse_duration(text)
    except ValueError:
        ago = None
    if not isinstance(ago, timedelta):
        raise argparse.ArgumentTypeError(f'not a valid time: "{text}": write for example 2h, 3d or 2030-01-31T08:00')
    return time.time() - ago.total_seconds()
