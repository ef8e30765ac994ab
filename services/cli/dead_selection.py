"""Which dead letters a command acts on: ids, filters, or all of them; and how it reports what it did with each."""

from __future__ import annotations

import argparse

from services.cli.options import UsageError, moment, system_named
from services.cli.output import print_json
from shared.administration.dead_letters import find_dead_letters, list_dead_letters
from shared.administration.installation import Installation
from shared.history.reasons import PARK_REASONS
from shared.spool.dead_letters import DeadLetter, Filter

ID = "the id of the dead letter, or of its message: the one in the 250 reply"
REASONS = "one of " + ", ".join(PARK_REASONS)
EXAMPLES = """\
examples:
  causeway dead list --system exchange --since 2h
  causeway dead replay --reason expired --dry-run
  causeway dead replay 0199a3b4c5d6e7f80912ab          as it was converted
  causeway dead replay --all --from start --rate 10    converted again, ten per second
"""
DONE = {
    "convert": "goes back to conversion",
    "deliver": "goes back to delivery",
    "discard": "is discarded",
    "gone": "is no longer a dead letter",
    "busy": "cannot be replayed now: another part of the message is being converted; try again",
}


def add_filters(parser: argparse.ArgumentParser) -> None:
    """Add the options that filter dead letters."""
    parser.add_argument("--stage", choices=("transform", "egress"))
    parser.add_argument("--system", metavar="NAME", help="its destination, or its source if it was never converted")
    parser.add_argument("--reason", metavar="WORD", help=REASONS)
    parser.add_argument("--since", type=moment, metavar="WHEN", help="parked since: 2h, 3d, or a date")


def add_selection(parser: argparse.ArgumentParser) -> None:
    """Add ids, --all, and the filters."""
    parser.add_argument("ids", nargs="*", metavar="ID", help=ID)
    parser.add_argument("--all", action="store_true", help="all that match the filters; without filters, all")
    add_filters(parser)


def filter_of(installation: Installation, options: argparse.Namespace) -> Filter:
    """Return the filter. Raises UsageError for a system that is not configured."""
    if options.system is not None:
        system_named(installation.settings, options.system, "--system")
    return Filter(options.stage, options.system, options.reason, options.since)


def select(installation: Installation, options: argparse.Namespace) -> list[DeadLetter]:
    """Return the selected letters. Raises UsageError where nothing is selected; all of them only with --all."""
    wanted = filter_of(installation, options)
    if options.ids and options.all:
        raise UsageError("ID and --all: use ids, or --all")
    if options.ids:
        found = {letter.id: letter for id in options.ids for letter in find_dead_letters(installation, id)}
        return [letter for letter in found.values() if wanted.matches(letter)]
    if wanted == Filter() and not options.all:
        raise UsageError("nothing selected: name ids, a filter (--stage, --system, --reason, --since), or --all")
    return list_dead_letters(installation, wanted)


def print_done(done: list[tuple[DeadLetter, str]], options: argparse.Namespace) -> None:
    """Print what was done with each letter: a word of DONE."""
    if options.json:
        print_json([{"id": letter.id, "done": word, "dry_run": options.dry_run} for letter, word in done])
        return
    if not done:
        print("0 dead letters match")
    for letter, word in done:
        print_one(letter, word, options)


def print_one(letter: DeadLetter, word: str, options: argparse.Namespace) -> None:
    """Print a line for one letter, at once."""
    print(f"{letter.id}: {DONE[word]}{' (dry run: not done)' if options.dry_run else ''}", flush=True)
