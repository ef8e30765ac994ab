"""`causeway queue`: what waits, works and failed in each stage; what waits for a retry, and to try it now."""

from __future__ import annotations

import argparse
import time
from typing import Any

from services.cli.options import Commands, UsageError, add_command, add_json, add_spool, count, system_named
from services.cli.output import age, print_json, print_table
from shared.administration import spool
from shared.spool.gauge import QueueGauge
from shared.spool.retries import PER_SECOND, ScheduledRetry

ALL = ""
EXAMPLES = """\
examples:
  causeway queue
  causeway queue --retries exchange --limit 20      what was said to each, and when it is tried again
  causeway queue --flush exchange --rate 50         try them now, fifty a second
"""


def add(commands: Commands) -> None:
    """Register the command."""
    about = "depth, oldest age, in flight, waiting retries of each stage and system"
    parser = add_command(commands, "queue", about, run, examples=EXAMPLES)
    what = parser.add_mutually_exclusive_group()
    about = "list the deliveries that wait for a retry, with the last reply and the next try"
    what.add_argument("--retries", nargs="?", const=ALL, metavar="SYSTEM", help=about)
    what.add_argument("--flush", metavar="SYSTEM", help="try again now what waits for a retry")
    parser.add_argument("--limit", type=count, metavar="N", help="with --retries: at most so many, the next ones")
    about = f"with --flush: at most so many a second (default: {PER_SECOND})"
    parser.add_argument("--rate", type=count, metavar="N", help=about)
    add_spool(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Print one line for each queue, or for each scheduled retry; or bring the retries forward."""
    if options.limit and options.retries is None:
        raise UsageError("--limit: goes with --retries")
    if options.rate and options.flush is None:
        raise UsageError("--rate: goes with --flush")
    with spool.opened(options.config, options.data) as causeway:
        if options.retries:
            system_named(causeway.settings, options.retries, "--retries")
        if options.retries is not None:
            return _print_retries(causeway.retries(options.retries or None, options.limit), options)
        if options.flush is not None:
            system = system_named(causeway.settings, options.flush, "--flush")
            return _print_flushed(system, causeway.flush_retries(system, options.rate or PER_SECOND), options)
        return _print_queues(causeway.queues(), options)


def _print_queues(gauges: list[QueueGauge], options: argparse.Namespace) -> int:
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


def _print_retries(retries: list[ScheduledRetry], options: argparse.Namespace) -> int:
    if options.json:
        print_json(retries)
    elif retries:
        now = time.time()
        titles = ("ID", "NEXT TRY", "AGE", "TRIES", "FROM", "TO", "HOST", "LAST REPLY")
        print_table(titles, [_row(retry, now) for retry in retries])
    else:
        print("no retries are scheduled")
    return 0


def _row(retry: ScheduledRetry, now: float) -> tuple[Any, ...]:
    delivery = retry.delivery
    pending = delivery.pending or delivery.recipients
    to = pending[0].public + (f" +{len(pending) - 1}" if len(pending) > 1 else "")
    next_try = f"in {age(retry.due_at - now)}" if retry.due_at > now else "now"
    sender = delivery.sender or "<>"
    waits = age(max(now - delivery.received_at, 0))
    return delivery.id, next_try, waits, delivery.attempts, sender, to, pending[0].host, pending[0].reply


def _print_flushed(system: str, flushed: int, options: argparse.Namespace) -> int:
    if options.json:
        print_json({"system": system, "flushed": flushed})
    elif flushed:
        verb = "delivery to {} is" if flushed == 1 else "deliveries to {} are"
        print(f"{flushed} {verb.format(system)} tried again, beginning now")
    else:
        print(f"no retry to {system} could be brought forward")
    return 0
