"""`causeway trace ID`: one message's history."""

from __future__ import annotations

import argparse

from services.console import operations
from services.console.options import Commands, add_command, add_json, add_spool
from services.console.output import print_json, print_table, when
from shared.errors import CausewayError


def add(commands: Commands) -> None:
    """Register the command."""
    parser = add_command(commands, "trace", "one message's history", run)
    parser.add_argument("id", metavar="ID", help="the id of the 250 reply, of a Received header, or of a delivery")
    add_spool(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Print the events of a message, oldest first."""
    with operations.opened(options.config, options.data) as causeway:
        events = causeway.history(options.id)
    if not events:
        raise CausewayError(f"{options.id}: unknown; history is kept for redis.history after a message is done with")
    if options.json:
        print_json(events)
        return 0
    rows = [(when(event.pop("at")), event.pop("event"), _told(event)) for event in events]
    print_table(("AT", "EVENT", "DETAILS"), rows)
    return 0


def _told(event: dict[str, object]) -> str:
    return "  ".join(f"{key}={value}" for key, value in event.items() if value not in (None, "", [], {}))
