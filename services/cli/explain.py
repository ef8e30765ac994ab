"""`causeway explain`: how an address is rewritten, where it goes, over which hosts, and why."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from services.cli.explain_next_hops import NextHop, next_hops_of
from services.cli.options import Commands, UsageError, add_command, add_config, add_json, system_named
from services.cli.output import print_json, print_table, printable
from shared import configuration
from shared.routing.explain import Explanation, explain
from shared.routing.router import CurrentRouter


def add(commands: Commands) -> None:
    """Register the command."""
    parser = add_command(
        commands,
        "explain",
        "how an address is rewritten, where it goes, over which hosts, and why",
        run,
        "example: causeway explain anna.schmidt@example.com --from exchange",
    )
    parser.add_argument("address", metavar="ADDRESS")
    parser.add_argument("--from", dest="source", required=True, metavar="SYSTEM", help="the system that sends the mail")
    add_config(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Explain one address; fail where it has no route."""
    settings = configuration.load(options.config)
    source = system_named(settings, options.source, "--from")
    router = CurrentRouter.configured(settings).current()
    explanation = explain(_address(options.address), source, router)
    hops, no_hosts = next_hops_of(settings, explanation.system) if explanation.system else ([], None)
    if options.json:
        print_json({**explanation.to_json(), "hosts": [asdict(hop) for hop in hops], "no_hosts": no_hosts})
    else:
        _print(explanation, hops, no_hosts)
    return 1 if explanation.refused or no_hosts else 0


def _address(text: str) -> str:
    """Return the address without the angle brackets of an SMTP command."""
    address = text.strip().removeprefix("<").removesuffix(">")
    if not address:
        raise UsageError("ADDRESS: must not be empty: name a recipient")
    return address


def _print(explanation: Explanation, hops: list[NextHop], no_hosts: str | None) -> None:
    print(printable(f"{explanation.address}, in mail from {explanation.source}"))
    facts = {
        "public": explanation.public,
        "home system": explanation.owner,
        "map line": explanation.map_line,
        "destination": explanation.system,
        "delivered to": explanation.delivered_to,
        "refused": explanation.refused,
        "no next hop": no_hosts,
    }
    for name, value in facts.items():
        if value is not None:
            print(f"  {name:<15} {printable(str(value))}")
    if explanation.is_address or explanation.system:  # for anything else the refusal is enough
        print("rules")
        for rule in explanation.rules:
            print(f"  {printable(rule)}")
    if hops:
        print("next hops")
        print_table(
            ("  HOST", "PREFERENCE", "WEIGHT", "SHARE", "TLS", "LIMITS"),
            [
                (f"  {hop.endpoint}", hop.preference, hop.weight, f"{hop.share:.0%}", hop.tls, hop.limits)
                for hop in hops
            ],
        )
