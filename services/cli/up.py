"""`causeway up`: every service on this machine, one process group, stopped in the order in which mail flows."""

from __future__ import annotations

import argparse
from contextlib import ExitStack, suppress
from functools import partial
from ipaddress import ip_address

from services.all_services import SERVICES
from services.cli.options import Commands, add_command, add_config, add_data
from shared import configuration
from shared.configuration.settings import Settings
from shared.diagnosis.check import faults_before_up, unavailable_ports, warnings
from shared.diagnosis.ports import http_endpoints
from shared.errors import ConfigurationError
from shared.history.configuration import ConfigurationWarning
from shared.history.process import DrainStarted
from shared.operations import hangup, log
from shared.operations.processes import Supervisor
from shared.runtime.data_folder import DataFolder
from shared.runtime.local_gateway import groups, is_ready, redis_program, service_programs
from shared.runtime.options import process_count
from shared.runtime.reload import CurrentSettings


def add(commands: Commands) -> None:
    """Register the command."""
    parser = add_command(
        commands,
        "up",
        "run every service on this machine; Ctrl-C drains and stops them",
        run,
        "example: causeway up --data /var/lib/causeway --processes egress=2",
    )
    add_config(parser)
    add_data(parser)
    parser.add_argument(
        "--processes",
        type=_processes,
        action="append",
        default=[],
        metavar="SERVICE=N",
        help="worker processes of a service (default: 1 each)",
    )


def _processes(text: str) -> tuple[str, int]:
    name, _, count = text.partition("=")
    names = [service.name for service in SERVICES]
    if name not in names:
        raise argparse.ArgumentTypeError(
            f'unknown service "{name}": use one of {", ".join(names)}, as in {names[-1]}=4'
        )
    return name, process_count(count)


def run(options: argparse.Namespace) -> int:
    """Run until Ctrl-C or SIGTERM. SIGHUP has every service read its settings again."""
    hangup.hold()
    log.configure("up")
    for service in SERVICES:
        service.check_libraries()  # else it would be started again and again
    names = [service.name for service in SERVICES]
    config = configuration.find(options.config)
    settings = configuration.load(config)
    if faults := faults_before_up(settings, names, config):
        raise ConfigurationError(*faults)
    for warning in warnings(settings, config):
        log.emit(ConfigurationWarning(warning))
    with ExitStack() as held:
        data = DataFolder(options.data) if settings.redis.is_embedded else None
        redis_server = redis_program(data, held.enter_context(data.locked())) if data else None
        if faults := unavailable_ports(settings, names, config):
            raise ConfigurationError(*faults)
        services = service_programs(SERVICES, settings, config, data.url if data else None, dict(options.processes))
        current = CurrentSettings(
            settings, options.config, check=lambda read, file: faults_before_up(read, names, file)
        )
        supervisor = Supervisor(
            groups(services, redis_server), partial(log.emit, DrainStarted()), may_reload=current.reload
        )
        supervisor.obey_signals()
        supervisor.run(partial(is_ready, SERVICES, settings), lambda: _print(greeting(settings, data)))
    return 0


def _print(text: str) -> None:
    """Print where standard output still exists: a closed terminal must not stop mail."""
    with suppress(OSError):
        print(text, flush=True)


def greeting(settings: Settings, data: DataFolder | None) -> str:
    """Return what is printed when all services are ready: how to send mail, where to look."""
    spool = f"{data.path} (embedded Redis, append-only)" if data else "the Redis of the configuration"
    lines = ["causeway is up", f"  mail is kept in  {spool}", f"  send to it       {_how_to_send(settings)}"]
    endpoints = http_endpoints(settings, [service.name for service in SERVICES])
    lines += [f"  {name:<15}  http://{at.local}/metrics  /readyz  /livez" for name, at in endpoints.items()]
    return "\n".join([*lines, "Ctrl-C stops it after the work in hand is finished; SIGHUP reloads its settings."])


def _how_to_send(settings: Settings) -> str:
    if not settings.ingress.listen:
        return "over TLS only: " + ", ".join(map(str, settings.ingress.listen_tls))
    server = settings.ingress.listen[0].local
    here = ip_address("127.0.0.1")
    source = next((system for system in settings.systems if any(here in network for network in system.networks)), None)
    if source is None:
        return f"{server}, from a network of one of the systems (127.0.0.1 is in none of them)"
    others = [system for system in settings.systems if system is not source]
    sender = _some_domain(source.public_domain, source.domains)
    recipient = next((_some_domain(system.public_domain, system.domains) for system in others), sender)
    return f"swaks --server {server} --tls-optional --from someone@{sender} --to somebody@{recipient}"


def _some_domain(public: str | None, internal: list[str]) -> str:
    return next((domain for domain in internal if not domain.startswith(("*", "["))), public or "example.com")
