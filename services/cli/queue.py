"""`causeway queue`: the queues of each stage and system, and the deliveries that wait for a retry."""

from __future__ import annotations

import argparse
import time
from typing import Any

from services.cli.options import Commands, UsageError, add_command, add_json, add_spool, positive_number, system_named
from services.cli.output import age, print_json, print_table
from shared.administration.installation import open_installation
from shared.administration.queues import FLUSH_PER_SECOND, flush_retries, gauge_queues, list_retries
from shared.spool.gauge import QueueGauge
from shared.spool.retries import ScheduledRetry

ALL = ""
EXAMPLES = """\
examples:
  causeway queue
  causeway queue --retries exchange --limit 20      each with its last reply and next attempt
  causeway queue --flush exchange --rate 50         retry them now, fifty per second
"""


def add(commands: Commands) -> None:
    """Register the command."""
    about = "depth, oldest age, leases, retries and dead letters of each stage and system"
    parser = add_command(commands, "queue", about, run, examples=EXAMPLES)
    what = parser.add_mutually_exclusive_group()
    about = "list the deliveries that wait for a retry, with last reply and next attempt"
    what.add_argument("--retries", nargs="?", const=ALL, metavar="SYSTEM", help=about)
    what.add_argument("--flush", metavar="SYSTEM", help="retry now what waits for a retry")
    parser.add_argument(
        "--limit", type=positive_number, metavar="N", help="with --retries: list at most N, the next ones"
    )
    about = f"with --flush: at most N per second (default: {FLUSH_PER_SECOND})"
    parser.add_argument("--rate", type=positive_number, metavar="N", help=about)
    add_spool(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Print one line for each queue, or for each scheduled retry; or bring the retries forward."""
    if options.limit and options.retries is None:
        raise UsageError("--limit: goes with --retries")
    if options.rate and options.flush is None:
        raise UsageError("--rate: goes with --flush")
    with open_installation(options.config, options.data) as installation:
        if options.retries:
            system_named(installation.settings, options.retries, "--retries")
        if options.retries is not None:
            return _print_retries(list_retries(installation, options.retries or None, options.limit), options)
        if options.flush is not None:
            system = system_named(installation.settings, options.flush, "--flush")
            flushed = flush_retries(installation, system, options.rate or FLUSH_PER_SECOND)
            return _print_flushed(system, flushed, options)
        return _print_queues(gauge_queues(installation), options)


def _print_queues(gauges: list[QueueGauge], options: argparse.Namespace) -> int:
    if options.json:
        print_json(gauges)
        return 0
    print_table(
        ("QUEUE", "DEPTH", "OLDEST", "LEASED", "SCHEDULED", "OLDEST SCHEDULED", "DEAD"),
        [
            (
                gauge.queue,
                gauge.depth,
                age(gauge.oldest_seconds),
                gauge.leased,
                gauge.scheduled,
                age(gauge.oldest_scheduled_seconds),
                gauge.dead,
            )
            for gauge in gauges
        ],
    )
    return 0


def _print_retries(retries: list[ScheduledRetry], options: argparse.Namespace) -> int:
    if options.json:
        print_json(retries)
    elif retries:
        now = time.time()
        titles = ("ID", "NEXT ATTEMPT", "AGE", "ATTEMPTS", "FROM", "TO", "HOST", "LAST REPLY")
        print_table(titles, [_row(retry, now) for retry in retries])
    else:
        print("no retries are scheduled")
    return 0


def _row(retry: ScheduledRetry, now: float) -> tuple[Any, ...]:
    delivery = retry.delivery
    pending = delivery.pending or delivery.recipients
    to = pending[0].public + (f" +{len(pending) - 1}" if len(pending) > 1 else "")
    next_attempt = f"in {age(retry.due_at - now)}" if retry.due_at > now else "now"
    sender = delivery.sender or "<>"
    waited = age(max(now - delivery.received_at, 0))
    return delivery.id, next_attempt, waited, delivery.attempts, sender, to, pending[0].host, pending[0].reply


def _print_flushed(system: str, flushed: int, options: argparse.Namespace) -> int:
    if options.json:
        print_json({"system": system, "flushed": flushed})
    elif flushed:
        print(f"{flushed} {'delivery' if flushed == 1 else 'deliveries'} to {system}: retried from now on")
    else:
        print(f"no delivery to {system} can be retried sooner")
    return 0
