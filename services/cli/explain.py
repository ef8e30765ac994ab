"""`causeway explain`: how an address is rewritten, where it goes, over which hosts, and why."""

from __future__ import annotations

import argparse
from dataclasses import asdict, dataclass

from services.cli.extras import needs_extra
from services.cli.options import Commands, UsageError, add_command, add_config, add_json, system_named
from services.cli.output import print_json, print_table, printable
from shared import configuration
from shared.configuration.settings import Settings
from shared.mail.reply import Reply
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
    parser.add_argument("--from", dest="source", required=True, metavar="SYSTEM", help="the system that sends to it")
    add_config(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Explain one address; fail where it has no route."""
    settings = configuration.load(options.config)
    source = system_named(settings, options.source, "--from")
    router = CurrentRouter.configured(settings).current()
    explanation = explain(_address(options.address), source, router)
    hops, no_hosts = _hops(settings, explanation.system) if explanation.system else ([], None)
    if options.json:
        print_json({**explanation.to_json(), "hosts": [asdict(hop) for hop in hops], "no_hosts": no_hosts})
    else:
        _print(explanation, hops, no_hosts)
    return 1 if explanation.refused or no_hosts else 0


def _address(text: str) -> str:
    """Return the address in what may be written as in a command of SMTP, in angle brackets."""
    address = text.strip().removeprefix("<").removesuffix(">")
    if not address:
        raise UsageError("ADDRESS: is empty, as the sender of a report is: name a recipient")
    return address


@dataclass(frozen=True, slots=True)
class Hop:
    """One host that the mail would be offered to. share: its part of the mail within its preference while all live.

    max_connections, messages_per_minute: of all egress replicas together; None for no limit.
    """

    host: str
    port: int
    preference: int
    weight: int
    share: float
    tls: str
    max_connections: int | None
    messages_per_minute: int | None

    @property
    def limits(self) -> str:
        """The limits in words; "-" for none."""
        connections = f"{self.max_connections} connections" if self.max_connections else ""
        messages = f"{self.messages_per_minute} messages/min" if self.messages_per_minute else ""
        return ", ".join(filter(None, (connections, messages))) or "-"


def _hops(settings: Settings, system: str) -> tuple[list[Hop], str | None]:
    """Return the hosts of a system, best first, or why there is none."""
    with needs_extra("egress"):
        from services.egress.app import next_hops
    tiers = next_hops(settings, system)
    if isinstance(tiers, Reply):
        return [], str(tiers)
    return [
        Hop(
            host.name,
            host.port,
            host.preference,
            host.weight,
            _share(host.weight, [other.weight for other in tier]),
            host.settings.tls + (", implicit" if host.settings.implicit else ""),
            host.settings.max_connections,
            host.settings.messages_per_minute,
        )
        for tier in tiers
        for host in tier
    ], None


def _share(weight: int, weights: list[int]) -> float:
    return weight / sum(weights) if any(weights) else 1 / len(weights)


def _print(explanation: Explanation, hops: list[Hop], no_hosts: str | None) -> None:
    print(printable(f"{explanation.address}, in mail from {explanation.source}"))
    told = {
        "everybody sees": explanation.public,
        "lives in": explanation.owner,
        "map line": explanation.map_line,
        "goes to": explanation.system,
        "as": explanation.delivered_to,
        "refused": explanation.refused,
        "no host": no_hosts,
    }
    for name, value in told.items():
        if value is not None:
            print(f"  {name:<15} {printable(str(value))}")
    if explanation.is_address or explanation.system:  # of anything else the refusal says it all
        print("because")
        for rule in explanation.rules:
            print(f"  {printable(rule)}")
    if hops:
        print("over")
        print_table(
            ("  HOST", "PREFERENCE", "WEIGHT", "SHARE", "TLS", "LIMITS"),
            [
                (f"  {hop.host}:{hop.port}", hop.preference, hop.weight, f"{hop.share:.0%}", hop.tls, hop.limits)
                for hop in hops
            ],
        )
