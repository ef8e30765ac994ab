"""`causeway dead list|show|replay|discard|export`: the letters that wait for a person."""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from services.cli.letter import print_letter
from services.cli.options import Commands, UsageError, add_command, add_json, add_spool, count, moment, system_named
from services.cli.output import print_json, print_table, printable, when
from shared.administration import spool
from shared.administration.spool import Causeway
from shared.errors import CausewayError
from shared.history.reasons import PARK_REASONS
from shared.spool import keys
from shared.spool.dead_letters import DeadLetter, Filter

DONE = {
    "convert": "goes back to be converted",
    "deliver": "goes back to be delivered",
    "discard": "is discarded",
    "gone": "is no dead letter any more",
    "busy": "cannot be replayed now: another part of the message is being converted; try again",
}


ID = "the id of the dead letter, or of its message: the one in the 250"
REASONS = "one of " + ", ".join(PARK_REASONS)
EXAMPLES = """\
examples:
  causeway dead list --system exchange --since 2h
  causeway dead replay --reason expired --dry-run
  causeway dead replay 0199a3b4c5d6e7f80912ab          as it was converted
  causeway dead replay --all --from start --rate 10    converted again, ten a second
"""


def add(commands: Commands) -> None:
    """Register the five commands."""
    parser = commands.add_parser("dead", help="list, show, replay, discard and export dead letters")
    kinds = parser.add_subparsers(metavar="COMMAND", required=True)
    listing = add_command(kinds, "list", "list dead letters", run_list, examples=EXAMPLES)
    _add_filters(listing)
    listing.add_argument("--limit", type=count, metavar="N", help="at most so many, the oldest")

    show = add_command(kinds, "show", "show one dead letter: why, what was tried, what was changed", run_show)
    show.add_argument("id", metavar="ID", help=ID)

    replay = add_command(kinds, "replay", "put dead letters back to work", run_replay, examples=EXAMPLES)
    _add_choice(replay)
    replay.add_argument(
        "--from", dest="start", choices=("start", "delivery"), default="delivery", help="convert again, or only deliver"
    )
    replay.add_argument("--rate", type=count, metavar="N", help="at most so many a second: spare a host that is back")
    replay.add_argument("--dry-run", action="store_true", help="say what would be done")

    discard = add_command(kinds, "discard", "remove dead letters for good", run_discard)
    _add_choice(discard)
    discard.add_argument("--dry-run", action="store_true", help="say what would be done")

    about = "write dead letters into a folder: .eml (the original), .converted.eml (where it was) and .json (the rest)"
    export = add_command(kinds, "export", about, run_export)
    _add_choice(export)
    export.add_argument("--out", type=Path, required=True, metavar="DIR", help="the folder")
    for each in (listing, show, replay, discard, export):
        add_spool(each)
        add_json(each)


def _add_filters(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--stage", choices=("transform", "egress"))
    parser.add_argument("--system", metavar="NAME", help="where it was to go, or came from if it was never converted")
    parser.add_argument("--reason", metavar="WORD", help=REASONS)
    parser.add_argument("--since", type=moment, metavar="WHEN", help="parked since: 2h, 3d, or a date")


def _add_choice(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("ids", nargs="*", metavar="ID", help=ID)
    parser.add_argument("--all", action="store_true", help="all that the filters mean; without filters, all")
    _add_filters(parser)


def _filter(causeway: Causeway, options: argparse.Namespace) -> Filter:
    if options.system is not None:
        system_named(causeway.settings, options.system, "--system")
    return Filter(options.stage, options.system, options.reason, options.since)


def _chosen(causeway: Causeway, options: argparse.Namespace) -> list[DeadLetter]:
    wanted = _filter(causeway, options)
    if options.ids and options.all:
        raise UsageError("ID and --all: name ids, or all")
    if options.ids:
        found = {letter.id: letter for id in options.ids for letter in causeway.dead_letters_of(id)}
        return [letter for letter in found.values() if wanted.matches(letter)]
    if wanted == Filter() and not options.all:
        raise UsageError("which? name ids, a filter (--stage, --system, --reason, --since), or --all")
    return causeway.dead_letters(wanted)


def run_list(options: argparse.Namespace) -> int:
    """Print one line for each letter, oldest first."""
    with spool.opened(options.config, options.data) as causeway:
        wanted = _filter(causeway, options)
        letters = causeway.dead_letters(wanted, options.limit)
        others = causeway.dead_letters(Filter()) if not letters and wanted != Filter() else []
    if options.json:
        print_json(letters)
    elif letters:
        print_table(("ID", "PARKED", "QUEUE", "REASON", "FROM", "TO", "DETAIL"), [_row(letter) for letter in letters])
    else:
        print("no dead letters" + _those_there_are(others))
    return 0


def _those_there_are(letters: list[DeadLetter]) -> str:
    counts = Counter(letter.reason for letter in letters)
    told = ", ".join(f"{count} {reason}" for reason, count in sorted(counts.items()))
    return f" match; there are: {told}" if told else ""


def _row(letter: DeadLetter) -> tuple[Any, ...]:
    if letter.delivery:
        queue, recipients = keys.egress(letter.delivery.system), [one.public for one in letter.delivery.recipients]
    else:
        queue, recipients = keys.TRANSFORM, [one.address for one in letter.envelope.recipients]
    to = recipients[0] + (f" +{len(recipients) - 1}" if len(recipients) > 1 else "")
    return letter.id, when(letter.parked_at), queue, letter.reason, letter.envelope.sender or "<>", to, letter.detail


def run_show(options: argparse.Namespace) -> int:
    """Print everything known of one letter, or of each of a message."""
    with spool.opened(options.config, options.data) as causeway:
        letters = [(letter, causeway.content(letter.message_id)) for letter in causeway.dead_letters_of(options.id)]
    for letter, content in letters:
        print_letter(letter, content, as_json=options.json)
    return 0


def run_replay(options: argparse.Namespace) -> int:
    """Replay, and print what was done with each, as it is done."""
    rate = None if options.dry_run else options.rate
    done = []
    with spool.opened(options.config, options.data) as causeway:
        letters = _chosen(causeway, options)
        for letter, word in causeway.replay(_paced(letters, rate), options.start, dry_run=options.dry_run):
            done.append((letter, word))
            if not options.json:
                _print_one(letter, word, options)
                _print_who_has_it(letter)
    if options.json or not done:
        _print_done(done, options)
    return 1 if any(what not in ("convert", "deliver") for _, what in done) else 0


def _paced(letters: Sequence[DeadLetter], rate: int | None) -> Iterator[DeadLetter]:
    """Yield the letters, at most `rate` a second."""
    for place, letter in enumerate(letters):
        if place and rate:
            time.sleep(1 / rate)
        yield letter


def _print_who_has_it(letter: DeadLetter) -> None:
    """Print whom a replay leaves out, and who may get the message twice."""
    for one in letter.delivery.recipients if letter.delivery else ():
        if one.state == "delivered":
            print(printable(f"    {one.address} has it already, and does not get it again"))
        elif one.ambiguous:
            print(printable(f"    {one.address} may have it already: the connection broke before {one.host} answered"))


def run_discard(options: argparse.Namespace) -> int:
    """Discard, and print what was done with each."""
    with spool.opened(options.config, options.data) as causeway:
        letters = _chosen(causeway, options)
        done = [(letter, True) for letter in letters] if options.dry_run else list(causeway.discard(letters))
    words = [(letter, "discard" if was_there else "gone") for letter, was_there in done]
    _print_done(words, options)
    return 0 if all(was_there for _, was_there in done) else 1


def _print_done(done: list[tuple[DeadLetter, str]], options: argparse.Namespace) -> None:
    if options.json:
        print_json([{"id": letter.id, "done": word, "dry_run": options.dry_run} for letter, word in done])
        return
    if not done:
        print("0 dead letters match")
    for letter, word in done:
        _print_one(letter, word, options)


def _print_one(letter: DeadLetter, word: str, options: argparse.Namespace) -> None:
    print(f"{letter.id}: {DONE[word]}{' (dry run, nothing was done)' if options.dry_run else ''}", flush=True)


def run_export(options: argparse.Namespace) -> int:
    """Export, and print the files."""
    try:
        with spool.opened(options.config, options.data) as causeway:
            files = [str(file) for file in causeway.export(_chosen(causeway, options), options.out)]
    except FileExistsError as error:
        raise CausewayError(f"--out: {error.filename} exists already: choose another folder, or remove it") from None
    except OSError as error:
        raise CausewayError(
            f"--out: {error.filename} cannot be written ({error.strerror}): choose another folder"
        ) from None
    if options.json:
        print_json(files)
    else:
        print("\n".join(files) or "0 dead letters match")
    return 0
