"""`causeway dead replay`: puts dead letters back to work."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence

from services.cli.dead_selection import EXAMPLES, add_selection, print_done, print_one, select
from services.cli.options import Commands, add_command, add_json, add_spool, positive_number
from services.cli.output import printable
from shared.administration.dead_letters import replay_dead_letters
from shared.administration.installation import open_installation
from shared.spool.dead_letters import DeadLetter


def add(commands: Commands) -> None:
    """Register the command."""
    parser = add_command(commands, "replay", "put dead letters back to work", run, examples=EXAMPLES)
    add_selection(parser)
    about = "convert the message again, or only deliver it (default: delivery)"
    parser.add_argument("--from", dest="start", choices=("start", "delivery"), default="delivery", help=about)
    about = "replay at most N per second: spare a host that has just recovered"
    parser.add_argument("--rate", type=positive_number, metavar="N", help=about)
    parser.add_argument("--dry-run", action="store_true", help="print what would be done")
    add_spool(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Replay, and print what was done with each, as it is drecipient."""
    rate = None if options.dry_run else options.rate
    done = []
    with open_installation(options.config, options.data) as installation:
        letters = select(installation, options)
        for letter, word in replay_dead_letters(
            installation, _at_rate(letters, rate), options.start, dry_run=options.dry_run
        ):
            done.append((letter, word))
            if not options.json:
                print_one(letter, word, options)
                _print_recipients(letter)
    if options.json or not done:
        print_done(done, options)
    return 1 if any(word not in ("convert", "deliver") for _, word in done) else 0


def _at_rate(letters: Sequence[DeadLetter], rate: int | None) -> Iterator[DeadLetter]:
    """Yield the letters, at most `rate` a second."""
    for number, letter in enumerate(letters):
        if number and rate:
            time.sleep(1 / rate)
        yield letter


def _print_recipients(letter: DeadLetter) -> None:
    """Print who is left out of a replay, and who may get the message twice."""
    for recipient in letter.delivery.recipients if letter.delivery else ():
        if recipient.state == "delivered":
            print(printable(f"    {recipient.address} has the message already and does not get it again"))
        elif recipient.ambiguous:
            cause = f"the connection broke before {recipient.host} answered"
            print(printable(f"    {recipient.address} may have the message already: {cause}"))
