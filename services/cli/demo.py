"""`causeway demo`: carries sample messages both ways through a gateway of its own, and shows what changed."""

from __future__ import annotations

import argparse

from services.cli.options import Commands, add_command


def add(commands: Commands) -> None:
    """Register the command."""
    parser = add_command(commands, "demo", "carry sample messages both ways through a gateway of its own", run)
    parser.add_argument("--stay", action="store_true", help="keep the gateway running until Ctrl-C instead")


def run(options: argparse.Namespace) -> int:
    """Run the demonstration."""
    from services.demo import demonstration

    return demonstration.main(options)
