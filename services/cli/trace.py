"""`causeway trace ID`: one message's history."""

from __future__ import annotations

import argparse
import textwrap
from typing import Any

from services.cli.options import Commands, add_command, add_json, add_spool
from services.cli.output import print_json, printable, when
from shared.administration.installation import open_installation
from shared.administration.messages import message_history
from shared.errors import CausewayError
from shared.history.base import HistoryEvent

WIDTH = 90
INDENT = " " * 22


def add(commands: Commands) -> None:
    """Register the command."""
    parser = add_command(commands, "trace", "one message's history", run)
    parser.add_argument("id", metavar="ID", help="the id of the 250 reply, of a Received header, or of a delivery")
    add_spool(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Print the events of a message, oldest first."""
    with open_installation(options.config, options.data) as installation:
        events = message_history(installation, options.id)
    if not events:
        raise CausewayError(
            f"{options.id}: unknown: history is deleted when a message has been finished for longer than redis.history"
        )
    if options.json:
        print_json([{"event": event.name, **event.facts()} for event in events])
        return 0
    for event in events:
        _print_event(event)
    return 0


def _print_event(event: HistoryEvent) -> None:
    """Print time and name on one line, then the fields, with a line for each recipient or delivery."""
    facts = {key: value for key, value in event.facts().items() if value not in (None, "", [], {})}
    print(printable(f"{when(facts.pop('at'))}  {event.name}"))
    lists = {key: facts.pop(key) for key in list(facts) if isinstance(facts[key], list)}
    for line in (_text(facts), *(f"{key}: {_text(value)}" for key, values in lists.items() for value in values)):
        if line:
            for part in textwrap.wrap(printable(line), WIDTH, break_long_words=False, break_on_hyphens=False):
                print(f"{INDENT}{part}")


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key.replace('_', ' ')} {_text(part)}" for key, part in value.items())
    return ", ".join(map(_text, value)) if isinstance(value, list) else str(value)
