"""`causeway dead list|show|replay|discard|export`: the messages that wait for a person."""

from __future__ import annotations

from services.cli import dead_discard, dead_export, dead_list, dead_replay, dead_show
from services.cli.options import Commands

COMMANDS = (dead_list, dead_show, dead_replay, dead_discard, dead_export)


def add(commands: Commands) -> None:
    """Register the five commands."""
    parser = commands.add_parser("dead", help="list, show, replay, discard and export dead letters")
    kinds = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add(kinds)
