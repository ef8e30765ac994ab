"""`causeway queue`: what waits, works and failed in each stage; what waits for a retry, and to try it now."""

from __future__ import annotations

import argparse
import time
from typing import Any

from services.cli.options import Commands, UsageError, add_command, add_json, add_spool, count, system_named
from services.cli.output import age, print_json, print_table
from shared.administration import spool
from shared.spool.gauge import QueueGauge
from shared.spool.waiting import PER_SECOND, Waiting

ALL = ""
EXAMPLES = """\
examples:
  causeway queue
  causeway queue --waiting exchange --limit 20      what was said to each, and when it is tried again
  causeway queue --flush exchange --rate 50         try them now, fifty a second
"""


def add(commands: Commands) -> None:
    """Register the command."""
    about = "depth, oldest age, in flight, waiting retries of each stage and system"
    parser = add_command(commands, "queue", about, run, examples=EXAMPLES)
    what = parser.add_mutually_exclusive_group()
    about = "list the deliveries that wait for a retry, with the last reply and the next try"
    what.add_argument("--waiting", nargs="?", const=ALL, metavar="SYSTEM", help=about)
    what.add_argument("--flush", metavar="SYSTEM", help="try again now what waits for a retry")
    parser.add_argument("--limit", type=count, metavar="N", help="with --waiting: at most so many, the next ones")
    about = f"with --flush: at most so many a second (default: {PER_SECOND})"
    parser.add_argument("--rate", type=count, metavar="N", help=about)
    add_spool(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Print one line for each queue, or for each delivery that waits; or hurry those."""
    if options.limit and options.waiting is None:
        raise UsageError("--limit: goes with --waiting")
    if options.rate and options.flush is None:
        raise UsageError("--rate: goes with --flush")
    with spool.opened(options.config, options.data) as causeway:
        if options.waiting:
            system_named(causeway.settings, options.waiting, "--waiting")
        if options.waiting is not None:
            return _tell_waiting(causeway.waiting(options.waiting or None, options.limit), options)
        if options.flush is not None:
            system = system_named(causeway.settings, options.flush, "--flush")
            return _tell_hurried(system, causeway.hurry(system, options.rate or PER_SECOND), options)
        return _tell_queues(causeway.queues(), options)


def _tell_queues(gauges: list[QueueGauge], options: argparse.Namespace) -> int:
    if options.json:
        print_json(gauges)
        return 0
    print_table(
        ("QUEUE", "DEPTH", "OLDEST", "LEASED", "SCHEDULED", "OLDEST SCHEDULED", "DEAD"),
        [
            (
                one.queue,
                one.depth,
                age(one.oldest_seconds),
                one.leased,
                one.scheduled,
                age(one.oldest_scheduled_seconds),
                one.dead,
            )
            for one in gauges
        ],
    )
    return 0


def _tell_waiting(waiting: list[Waiting], options: argparse.Namespace) -> int:
    if options.json:
        print_json(waiting)
    elif waiting:
        now = time.time()
        titles = ("ID", "NEXT TRY", "AGE", "TRIES", "FROM", "TO", "HOST", "LAST REPLY")
        print_table(titles, [_row(one, now) for one in waiting])
    else:
        print("nothing waits for a retry")
    return 0


def _row(one: Waiting, now: float) -> tuple[Any, ...]:
    delivery = one.delivery
    pending = delivery.pending or delivery.recipients
    to = pending[0].public + (f" +{len(pending) - 1}" if len(pending) > 1 else "")
    next_try = f"in {age(one.due_at - now)}" if one.due_at > now else "now"
    sender = delivery.sender or "<>"
    waits = age(max(now - delivery.received_at, 0))
    return delivery.id, next_try, waits, delivery.attempts, sender, to, pending[0].host, pending[0].reply


def _tell_hurried(system: str, hurried: int, options: argparse.Namespace) -> int:
    if options.json:
        print_json({"system": system, "hurried": hurried})
    elif hurried:
        verb = "delivery to {} is" if hurried == 1 else "deliveries to {} are"
        print(f"{hurried} {verb.format(system)} tried again, beginning now")
    else:
        print(f"nothing that waits for {system} could be tried any sooner")
    return 0
