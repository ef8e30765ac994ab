"""`causeway dead list`: one line for each dead letter."""

from __future__ import annotations

import argparse
from collections import Counter
from typing import Any

from services.cli.dead_selection import EXAMPLES, add_filters, filter_of
from services.cli.options import Commands, add_command, add_json, add_spool, positive_number
from services.cli.output import print_json, print_table, when
from shared.administration.dead_letters import list_dead_letters
from shared.administration.installation import open_installation
from shared.spool import keys
from shared.spool.dead_letters import DeadLetter, Filter


def add(commands: Commands) -> None:
    """Register the command."""
    parser = add_command(commands, "list", "list dead letters", run, examples=EXAMPLES)
    add_filters(parser)
    parser.add_argument("--limit", type=positive_number, metavar="N", help="list at most N, the oldest")
    add_spool(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Print one line for each letter, oldest first."""
    with open_installation(options.config, options.data) as installation:
        wanted = filter_of(installation, options)
        letters = list_dead_letters(installation, wanted, options.limit)
        others = list_dead_letters(installation, Filter()) if not letters and wanted != Filter() else []
    if options.json:
        print_json(letters)
    elif letters:
        print_table(("ID", "PARKED", "QUEUE", "REASON", "FROM", "TO", "DETAIL"), [_row(letter) for letter in letters])
    else:
        print("no dead letters" + _existing(others))
    return 0


def _existing(letters: list[DeadLetter]) -> str:
    counts = Counter(letter.reason for letter in letters)
    existing = ", ".join(f"{count} {reason}" for reason, count in sorted(counts.items()))
    return f" match; existing: {existing}" if existing else ""


def _row(letter: DeadLetter) -> tuple[Any, ...]:
    if letter.delivery:
        queue = keys.egress(letter.delivery.system)
        recipients = [recipient.public for recipient in letter.delivery.recipients]
    else:
        queue, recipients = keys.TRANSFORM, [recipient.address for recipient in letter.envelope.recipients]
    to = recipients[0] + (f" +{len(recipients) - 1}" if len(recipients) > 1 else "")
    return letter.id, when(letter.parked_at), queue, letter.reason, letter.envelope.sender or "<>", to, letter.detail
