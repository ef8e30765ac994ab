"""`causeway check`: everything that can be known before start, one line for each fault; `--probe` asks every peer."""

from __future__ import annotations

import argparse
import sys

from services.cli.options import Commands, add_command, add_config, add_json
from services.cli.output import print_json
from services.cli.probe import Answers, ask, print_answers
from shared import configuration
from shared.diagnosis import check
from shared.diagnosis.check import located
from shared.errors import ConfigurationError


def add(commands: Commands) -> None:
    """Register the command."""
    parser = add_command(commands, "check", "validate everything that can be known before start", run)
    parser.add_argument(
        "--probe", action="store_true", help="connect to every smart host and to Redis; tell what each says"
    )
    add_config(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Print faults and warnings; fail where there is a fault."""
    config = configuration.find(options.config)
    faults: list[str] = []
    warnings: list[str] = []
    answers: Answers | None = None
    pairs: int | None = None
    try:
        settings = configuration.load(config)
        pairs = check.address_pairs(settings)
        faults = check.check(settings, config)
        warnings = [*check.warnings(settings, config), *check.surroundings(settings, config)]
        if options.probe:
            answers = ask(settings)
            faults += located(config, answers.faults())
            warnings += located(config, answers.warnings(settings))
    except ConfigurationError as error:
        faults += error.faults
    if options.json:
        asked = {"probe": answers} if answers else {}
        findings = {"faults": faults, "warnings": warnings, "address_pairs": pairs}
        print_json({"file": config and str(config), **findings, **asked})
    else:
        if answers:
            print_answers(answers)
        for warning in warnings:
            print(f"warning: {warning}", file=sys.stderr)
        if pairs is not None:
            print(f"addresses.map: {pairs} pair{'' if pairs == 1 else 's'}")
        print("\n".join(faults) if faults else "ok", file=sys.stderr if faults else sys.stdout)
    return 1 if faults else 0
