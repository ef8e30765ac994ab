"""`causeway queue`: what waits, works and failed in each stage and system."""

from __future__ import annotations

import argparse

from services.console import operations
from services.console.options import Commands, add_command, add_json, add_spool
from services.console.output import age, print_json, print_table


def add(commands: Commands) -> None:
    """Register the command."""
    parser = add_command(
        commands, "queue", "depth, oldest age, in flight, waiting retries of each stage and system", run
    )
    add_spool(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Print one line for each queue."""
    with operations.opened(options.config, options.data) as causeway:
        gauges = causeway.queues()
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
