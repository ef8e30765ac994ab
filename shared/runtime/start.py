"""Starts a service: its options, its settings, its HTTP server, and as many processes as requested."""

from __future__ import annotations

import argparse
import resource
import sys
from collections.abc import Sequence
from contextlib import suppress

from prometheus_client import REGISTRY

from shared import configuration
from shared.configuration.settings import Settings
from shared.diagnosis.check import faults_before_start
from shared.errors import CausewayError, ConfigurationError
from shared.operations import hangup, log
from shared.runtime.gauges import Gauges
from shared.runtime.health import Health
from shared.runtime.health_server import answering_http
from shared.runtime.options import add_service_options
from shared.runtime.process_group import restart_as_parent, run_parent
from shared.runtime.reload import CurrentSettings
from shared.runtime.service import Service


def main(service: Service, argv: Sequence[str] | None = None) -> int:
    """Run a service until a signal ends it; return its exit code: 0 done, 1 failed. Wrong usage exits with 2."""
    parser = argparse.ArgumentParser(prog=f"causeway {service.name}", description=f"Run the {service.name} service.")
    add_service_options(parser)
    return start(service, parser.parse_args(argv))


def start(service: Service, options: argparse.Namespace) -> int:
    """Run a service with options already parsed. As `main`."""
    hangup.hold()
    log.configure(service.name)
    allow_many_files()
    try:
        if not options.metrics:  # the parent of a group runs nothing itself
            service.check_libraries()
        settings = configuration.load(options.config)
        if faults := faults_before_start(settings, configuration.find(options.config)):
            raise ConfigurationError(*faults)
        if options.processes == 1:
            _run_alone(service, settings, options)
        elif options.metrics:
            run_parent(service, settings, options)
        else:
            restart_as_parent(service, options)
    except ConfigurationError as error:
        print("\n".join(error.faults), file=sys.stderr)  # noqa: T201 (no event: a person reads it at the terminal)
        return 1
    except CausewayError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    except KeyboardInterrupt:
        return 0
    return 0


def allow_many_files() -> None:
    """Raise the limit of open files to the highest allowed: each session is one, and the usual 1024 are soon used."""
    _, highest = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # macOS calls its limit infinite and means less
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest, highest))


def _run_alone(service: Service, settings: Settings, options: argparse.Namespace) -> None:
    run = service.load()
    if options.beat:  # a child: its parent answers HTTP
        run(CurrentSettings(settings, options.config), Health(beat_file=options.beat))
        return
    gauges = Gauges(settings)
    current = CurrentSettings(settings, options.config, on_change=gauges.show)
    health = Health(gauges.ready, live_seconds=service.live_seconds(settings))
    try:
        with answering_http(settings, health, gauges.refresh, REGISTRY):
            run(current, health)
    finally:
        gauges.close()
