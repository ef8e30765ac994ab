"""`causeway dead discard`: removes dead letters for good."""

from __future__ import annotations

import argparse

from services.cli.dead_selection import add_selection, print_done, select
from services.cli.options import Commands, add_command, add_json, add_spool
from shared.administration.dead_letters import discard_dead_letters
from shared.administration.installation import open_installation


def add(commands: Commands) -> None:
    """Register the command."""
    parser = add_command(commands, "discard", "remove dead letters for good", run)
    add_selection(parser)
    parser.add_argument("--dry-run", action="store_true", help="print what would be done")
    add_spool(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Discard, and print what was done with each."""
    with open_installation(options.config, options.data) as installation:
        letters = select(installation, options)
        if options.dry_run:
            done = [(letter, True) for letter in letters]
        else:
            done = list(discard_dead_letters(installation, letters))
    print_done([(letter, "discard" if existed else "gone") for letter, existed in done], options)
    return 0 if all(existed for _, existed in done) else 1
