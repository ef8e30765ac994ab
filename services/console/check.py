"""`causeway check`: everything that can be known before start, one line for each fault."""

from __future__ import annotations

import argparse
import sys

from services.console.options import Commands, add_command, add_config, add_json
from services.console.output import print_json
from shared.errors import ConfigurationError
from shared.operations import check, configuration


def add(commands: Commands) -> None:
    """Register the command."""
    parser = add_command(commands, "check", "validate everything that can be known before start", run)
    add_config(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Print faults and warnings; fail where there is a fault."""
    config = configuration.find(options.config)
    faults: list[str] = []
    warnings: list[str] = []
    try:
        settings = configuration.load(config)
        faults = check.check(settings, config)
        warnings = [*check.warnings(settings, config), *check.surroundings(settings, config)]
    except ConfigurationError as error:
        faults = list(error.faults)
    if options.json:
        print_json({"file": config and str(config), "faults": faults, "warnings": warnings})
    else:
        for warning in warnings:
            print(f"warning: {warning}", file=sys.stderr)
        print("\n".join(faults) if faults else "ok", file=sys.stderr if faults else sys.stdout)
    return 1 if faults else 0
