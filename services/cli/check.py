"""`causeway check`: one line for each fault of the configuration; `--probe` connects to every peer."""

from __future__ import annotations

import argparse
import sys

from services.all_services import SERVICES
from services.cli.check_probe import ProbeResults, print_results, probe_peers, unresolved_names
from services.cli.options import Commands, add_command, add_config, add_json
from services.cli.output import print_json
from shared import configuration
from shared.diagnosis import check
from shared.diagnosis.check import located
from shared.errors import ConfigurationError


def add(commands: Commands) -> None:
    """Register the command."""
    parser = add_command(
        commands, "check", "validate the configuration and everything else that can be known before start", run
    )
    parser.add_argument(
        "--probe", action="store_true", help="connect to Redis and every smart host, and report what each supports"
    )
    add_config(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Print faults and warnings; fail where there is a fault."""
    services = [service.name for service in SERVICES]
    config = configuration.find(options.config)
    faults: list[str] = []
    warnings: list[str] = []
    results: ProbeResults | None = None
    pairs: int | None = None
    try:
        settings = configuration.load(config)
        pairs = check.address_pairs(settings)
        faults = check.all_faults(settings, services, config)
        warnings = [*check.warnings(settings, config), *check.environment_warnings(settings, services, config)]
        warnings += located(config, unresolved_names(settings))
        if options.probe:
            results = probe_peers(settings)
            faults += located(config, results.faults())
            warnings += located(config, results.warnings(settings))
    except ConfigurationError as error:
        faults += error.faults
    if options.json:
        probed = {"probe": results} if results else {}
        findings = {"faults": faults, "warnings": warnings, "address_pairs": pairs}
        print_json({"file": config and str(config), **findings, **probed})
    else:
        if results:
            print_results(results)
        for warning in warnings:
            print(f"warning: {warning}", file=sys.stderr)
        if pairs is not None:
            print(f"addresses.map: {pairs} pair{'' if pairs == 1 else 's'}")
        print("\n".join(faults) if faults else "ok", file=sys.stderr if faults else sys.stdout)
    return 1 if faults else 0
