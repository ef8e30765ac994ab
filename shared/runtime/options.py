"""The options that every service has, under `causeway` and as `python -m services.<name>`."""

from __future__ import annotations

import argparse
from pathlib import Path

MAX_PROCESSES = 1024


def add_config(parser: argparse.ArgumentParser) -> None:
    """Add --config."""
    parser.add_argument(
        "--config", type=Path, metavar="F", help="configuration file (default: $CAUSEWAY_CONFIG, else ./causeway.yaml)"
    )


def add_service_options(parser: argparse.ArgumentParser) -> None:
    """Add --config and --processes; --beat and --metrics, which are for our own processes, have no help."""
    add_config(parser)
    parser.add_argument("--processes", type=process_count, default=1, metavar="N", help="worker processes (default: 1)")
    parser.add_argument("--beat", type=Path, help=argparse.SUPPRESS)  # a child: the file of its beats
    parser.add_argument("--metrics", type=Path, help=argparse.SUPPRESS)  # a parent: the folder of all metrics


def process_count(text: str) -> int:
    """Read a number of processes. Raises ArgumentTypeError."""
    if not text.isdecimal() or not 1 <= int(text) <= MAX_PROCESSES:
        raise argparse.ArgumentTypeError(f'not a valid number of processes: "{text}": use 1 to {MAX_PROCESSES}')
    return int(text)
