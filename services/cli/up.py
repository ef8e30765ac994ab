"""`causeway up`: every service on this machine, one process group, stopped in the order in which mail flows."""

from __future__ import annotations

import argparse
import logging
from contextlib import ExitStack, suppress
from functools import partial
from ipaddress import ip_address
from typing import get_args

from services.cli.options import Commands, add_command, add_config, add_data
from shared import configuration
from shared.configuration.settings import Settings
from shared.diagnosis.check import faults_to_run_all, occupied_ports, warnings
from shared.diagnosis.ports import http_listen
from shared.errors import ConfigurationError
from shared.operations import events
from shared.operations.processes import Supervisor
from shared.runtime.data_folder import DataFolder
from shared.runtime.local_gateway import groups, is_ready, redis_program, service_programs
from shared.runtime.service import Name


def add(commands: Commands) -> None:
    """Register the command."""
    parser = add_command(
        commands,
        "up",
        "run every service on this machine; Ctrl-C drains",
        run,
        "example: causeway up --data /var/lib/causeway --processes egress=2",
    )
    add_config(parser)
    add_data(parser)
    parser.add_argument(
        "--processes",
        type=_share,
        action="append",
        default=[],
        metavar="SERVICE=N",
        help="worker processes of a service",
    )


def _share(text: str) -> tuple[str, int]:
    name, _, count = text.partition("=")
    if name not in get_args(Name) or not count.isdigit() or not 1 <= int(count) <= 1024:
        raise argparse.ArgumentTypeError(f"{text}: write for example egress=4")
    return name, int(count)


def run(options: argparse.Namespace) -> int:
    """Run until Ctrl-C or SIGTERM."""
    events.configure("up")
    config = configuration.find(options.config)
    settings = configuration.load(config)
    if faults := faults_to_run_all(settings, config):
        raise ConfigurationError(*faults)
    for warning in warnings(settings, config):
        events.emit("file.doubted", level=logging.WARNING, warning=warning)
    with ExitStack() as held:
        data = DataFolder(options.data) if settings.redis.url == "embedded" else None
        redis_server = redis_program(data, held.enter_context(data.locked())) if data else None
        if faults := occupied_ports(settings, config):
            raise ConfigurationError(*faults)
        services = service_programs(settings, config, data.url if data else None, dict(options.processes))
        supervisor = Supervisor(groups(services, redis_server), on_stop=partial(events.emit, "drain.started"))
        supervisor.stop_on_signals()
        supervisor.run(partial(is_ready, settings), lambda: _tell(greeting(settings, data)))
    return 0


def _tell(text: str) -> None:
    """Print, if anybody still listens: a terminal that was closed stops no mail."""
    with suppress(OSError):
        print(text, flush=True)


def greeting(settings: Settings, data: DataFolder | None) -> str:
    """Return what to tell when all is up: how to send to it, where to look."""
    spool = f"{data.path} (embedded Redis, append-only)" if data else "the Redis of the configuration"
    lines = ["causeway is up", f"  mail is kept in  {spool}", f"  send to it       {_how_to_send(settings)}"]
    for offset, name in enumerate(get_args(Name)):
        if listen := http_listen(settings, offset):
            lines.append(f"  {name:<15}  http://{listen.local}/metrics  /readyz  /livez")
    return "\n".join([*lines, "Ctrl-C stops it once what is in hand is done."])


def _how_to_send(settings: Settings) -> str:
    if not settings.ingress.listen:
        return "over TLS only: " + ", ".join(map(str, settings.ingress.listen_tls))
    server = settings.ingress.listen[0].local
    here = ip_address("127.0.0.1")
    source = next((one for one in settings.systems if any(here in network for network in one.networks)), None)
    if source is None:
        return f"{server}, from a network of one of the systems (127.0.0.1 is in none)"
    others = [one for one in settings.systems if one is not source]
    sender = _some_domain(source.public_domain, source.domains)
    recipient = next((_some_domain(one.public_domain, one.domains) for one in others), sender)
    return f"swaks --server {server} --tls-optional --from someone@{sender} --to somebody@{recipient}"


def _some_domain(public: str | None, internal: list[str]) -> str:
    return next((domain for domain in internal if not domain.startswith(("*", "["))), public or "example.com")
