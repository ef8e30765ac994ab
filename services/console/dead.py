"""`causeway dead list|show|replay|discard|export`: the letters that wait for a person."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from services.console import operations
from services.console.letter import print_letter
from services.console.operations import Causeway
from services.console.options import Commands, add_command, add_json, add_spool, moment
from services.console.output import print_json, print_table, when
from shared.errors import CausewayError
from shared.spool.dead_letters import DeadLetter, Filter

DONE = {
    "convert": "goes back to be converted",
    "deliver": "goes back to be delivered",
    "discard": "is discarded",
    "gone": "is no dead letter any more",
    "busy": "cannot be replayed now: another part of the message is being converted; try again",
}


def add(commands: Commands) -> None:
    """Register the five commands."""
    parser = commands.add_parser("dead", help="list, show, replay, discard and export dead letters")
    kinds = parser.add_subparsers(metavar="COMMAND", required=True)
    listing = add_command(kinds, "list", "list dead letters", run_list)
    _add_filters(listing)
    listing.add_argument("--limit", type=int, metavar="N", help="at most so many, the oldest")

    show = add_command(kinds, "show", "show one dead letter: why, what was tried, what was changed", run_show)
    show.add_argument("id", metavar="ID")

    replay = add_command(kinds, "replay", "put dead letters back to work", run_replay)
    _add_choice(replay)
    replay.add_argument(
        "--from", dest="start", choices=("start", "delivery"), default="delivery", help="convert again, or only deliver"
    )
    replay.add_argument("--dry-run", action="store_true", help="say what would be done")

    discard = add_command(kinds, "discard", "remove dead letters for good", run_discard)
    _add_choice(discard)
    discard.add_argument("--dry-run", action="store_true", help="say what would be done")

    export = add_command(kinds, "export", "write dead letters into a folder, each as .eml and .json", run_export)
    _add_choice(export)
    export.add_argument("--out", type=Path, required=True, metavar="DIR", help="the folder")
    for each in (listing, show, replay, discard, export):
        add_spool(each)
        add_json(each)


def _add_filters(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--stage", choices=("transform", "egress"))
    parser.add_argument("--system", metavar="NAME", help="where it was to go, or came from if it was never converted")
    parser.add_argument("--reason", metavar="WORD", help="for example crash, poison, expired, refused")
    parser.add_argument("--since", type=moment, metavar="WHEN", help="parked since: 2h, 3d, or a date")


def _add_choice(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("ids", nargs="*", metavar="ID")
    parser.add_argument("--all", action="store_true", help="all that the filters mean; without filters, all")
    _add_filters(parser)


def _filter(options: argparse.Namespace) -> Filter:
    return Filter(options.stage, options.system, options.reason, options.since)


def _chosen(causeway: Causeway, options: argparse.Namespace) -> list[DeadLetter]:
    wanted = _filter(options)
    if options.ids:
        return [letter for letter in map(causeway.dead_letter, options.ids) if wanted.matches(letter)]
    if wanted == Filter() and not options.all:
        raise CausewayError("which? name ids, a filter (--stage, --system, --reason, --since), or --all")
    return causeway.dead_letters(wanted)


def run_list(options: argparse.Namespace) -> int:
    """Print one line for each letter, oldest first."""
    with operations.opened(options.config, options.data) as causeway:
        letters = causeway.dead_letters(_filter(options), options.limit)
    if options.json:
        print_json(letters)
        return 0
    titles = ("ID", "PARKED", "STAGE", "SYSTEM", "REASON", "FROM", "TO", "DETAIL")
    print_table(titles, [_row(letter) for letter in letters])
    return 0


def _row(letter: DeadLetter) -> tuple[Any, ...]:
    recipients = letter.delivery.recipients if letter.delivery else letter.envelope.recipients
    to = recipients[0].address + (f" +{len(recipients) - 1}" if len(recipients) > 1 else "")
    sender = letter.envelope.sender or "<>"
    return letter.id, when(letter.parked_at), letter.stage, letter.system, letter.reason, sender, to, letter.detail[:60]


def run_show(options: argparse.Namespace) -> int:
    """Print everything known of one letter."""
    with operations.opened(options.config, options.data) as causeway:
        letter = causeway.dead_letter(options.id)
        content = causeway.content(letter.message_id)
    print_letter(letter, content, as_json=options.json)
    return 0


def run_replay(options: argparse.Namespace) -> int:
    """Replay, and print what was done with each."""
    with operations.opened(options.config, options.data) as causeway:
        letters = _chosen(causeway, options)
        done = list(causeway.replay(letters, options.start, dry_run=options.dry_run))
    _print_done(done, options)
    return 1 if any(what not in ("convert", "deliver") for _, what in done) else 0


def run_discard(options: argparse.Namespace) -> int:
    """Discard, and print what was done with each."""
    with operations.opened(options.config, options.data) as causeway:
        letters = _chosen(causeway, options)
        done = [(letter, True) for letter in letters] if options.dry_run else list(causeway.discard(letters))
    words = [(letter, "discard" if was_there else "gone") for letter, was_there in done]
    _print_done(words, options)
    return 0 if all(was_there for _, was_there in done) else 1


def _print_done(done: list[tuple[DeadLetter, str]], options: argparse.Namespace) -> None:
    if options.json:
        print_json([{"id": letter.id, "done": word, "dry_run": options.dry_run} for letter, word in done])
        return
    for letter, word in done:
        print(f"{letter.id}: {DONE[word]}{' (dry run, nothing was done)' if options.dry_run else ''}")


def run_export(options: argparse.Namespace) -> int:
    """Export, and print the files."""
    try:
        with operations.opened(options.config, options.data) as causeway:
            files = [str(file) for file in causeway.export(_chosen(causeway, options), options.out)]
    except OSError as error:
        raise CausewayError(
            f"--out: {error.filename} cannot be written ({error.strerror}): choose another folder"
        ) from None
    if options.json:
        print_json(files)
    else:
        print("\n".join(files))
    return 0
