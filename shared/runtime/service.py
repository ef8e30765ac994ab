"""The frame of every service: its options, its settings, its HTTP server, and as many processes as were asked for.

With `--processes N` the parent answers HTTP for all and supervises N children, which share their metrics through the
files of prometheus_client's multi-process mode.

A service's `run(settings, health)` builds its adapters, handles SIGTERM and SIGINT (`health.drain()`, finish what is in
hand, return), calls `health.beat()` in its loop, and raises ConfigurationError or SpoolError for what an administrator
has to mend.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from shared import configuration
from shared.configuration.settings import Settings
from shared.diagnosis.check import faults_before_start
from shared.errors import CausewayError, ConfigurationError
from shared.operations import events
from shared.operations.processes import Child, Program, Supervisor
from shared.runtime.gauges import Gauges
from shared.runtime.health import LIVE_SECONDS, GroupHealth, Health, HealthServer

Run = Callable[[Settings, Health], None]
Name = Literal["ingress", "transform", "egress"]

_METRICS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that every service has."""
    parser.add_argument("--config", type=Path, metavar="F", help="configuration file (default: ./causeway.yaml)")
    parser.add_argument("--processes", type=_count, default=1, metavar="N", help="worker processes (default: 1)")
    parser.add_argument("--beat", type=Path, help=argparse.SUPPRESS)  # a child: where its beats go
    parser.add_argument("--metrics", type=Path, help=argparse.SUPPRESS)  # a parent: the folder all metrics are in


def _count(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 1024:
        raise argparse.ArgumentTypeError(f"{text} is no number of processes from 1 to 1024")
    return int(text)


def main(name: Name, run: Run, argv: Sequence[str] | None = None) -> int:
    """Run a service until it is told to stop; return its exit code: 0 done, 1 failed. Wrong usage exits with 2."""
    parser = argparse.ArgumentParser(prog=f"causeway {name}", description=f"Run the {name} service.")
    add_options(parser)
    return start(name, run, parser.parse_args(argv))


def start(name: Name, run: Run, options: argparse.Namespace) -> int:
    """Run a service with options already parsed. As `main`."""
    events.configure(name)
    allow_many_files()
    try:
        settings = configuration.load(options.config)
        if faults := faults_before_start(settings, configuration.find(options.config)):
            raise ConfigurationError(*faults)
        if options.processes == 1:
            _run_alone(name, settings, run, options.beat)
        elif options.metrics:
            _run_group(name, settings, options)
        else:
            _restart_with_shared_metrics(name, options)
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
    """Raise our limit of open files to the highest allowed: each session is one, and the usual 1024 are soon held."""
    _, highest = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # macOS calls its limit infinite and means less
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest, highest))


def _run_alone(name: Name, settings: Settings, run: Run, beat_file: Path | None) -> None:
    if beat_file:
        run(settings, Health(beat_file=beat_file))
        return
    gauges = Gauges(settings)
    health = Health(gauges.ready, live_seconds=live_seconds(settings, name))
    try:
        with _answering_http(settings, health, gauges, REGISTRY):
            run(settings, health)
    finally:
        gauges.close()


@contextmanager
def _answering_http(settings: Settings, health: Health, gauges: Gauges, registry: CollectorRegistry) -> Iterator[None]:
    if settings.http.listen is None:
        yield
        return
    try:
        server = HealthServer(settings.http.listen, health, gauges.refresh, registry)
    except OSError as error:
        raise ConfigurationError(
            f"http.listen: {settings.http.listen} cannot be used ({error.strerror}): choose another address or port"
        ) from None
    server.start()
    try:
        yield
    finally:
        server.close()


def _restart_with_shared_metrics(name: Name, options: argparse.Namespace) -> None:
    """Become the parent of a group, in a new image: prometheus_client looks for its folder when it is imported."""
    try:
        folder = tempfile.mkdtemp(prefix="causeway-metrics-", dir=os.environ.get(_METRICS_VARIABLE))
    except OSError as error:
        raise ConfigurationError(
            f"--processes: no folder for metrics ({error.strerror}): name a writable one in ${_METRICS_VARIABLE}"
        ) from None
    command = [*_command(name, options), "--processes", str(options.processes), "--metrics", folder]
    os.execve(command[0], command, {**os.environ, _METRICS_VARIABLE: folder})  # noqa: S606 (ourselves)


def _command(name: Name, options: argparse.Namespace) -> list[str]:
    config = ["--config", str(options.config)] if options.config else []
    return [sys.executable, "-m", f"services.{name}", *config]


def _run_group(name: Name, settings: Settings, options: argparse.Namespace) -> None:
    folder: Path = options.metrics
    beats = [folder / f"beat-{number}" for number in range(options.processes)]
    children = [
        Child(
            Program(
                f"{name}-{number}",
                [*_command(name, options), "--beat", str(beat)],
                drain_seconds=drain_seconds(settings, name),
            ),
            on_exit=lambda pid: mark_process_dead(pid, str(folder)),  # type: ignore[no-untyped-call]
        )
        for number, beat in enumerate(beats)
    ]
    registry = CollectorRegistry()
    MultiProcessCollector(registry, str(folder))  # type: ignore[no-untyped-call]
    gauges = Gauges(settings)
    health = GroupHealth(beats, gauges.ready, live_seconds(settings, name))
    supervisor = Supervisor([children], on_stop=health.drain)
    supervisor.stop_on_signals()
    try:
        with _answering_http(settings, health, gauges, registry):
            supervisor.run()
    finally:
        gauges.close()
        shutil.rmtree(folder, ignore_errors=True)


def live_seconds(settings: Settings, name: Name) -> float:
    """Return the silence that means that a service is stuck: transform says nothing while it converts one message."""
    one_message = settings.transform.message_timeout.total_seconds() if name == "transform" else 0
    return LIVE_SECONDS + one_message


def drain_seconds(settings: Settings, name: Name) -> float:
    """Return how long a service may take to end after SIGTERM: its own time limit and ten seconds of grace."""
    own = {
        "ingress": settings.ingress.shutdown_timeout,
        "transform": settings.transform.message_timeout,
        "egress": settings.egress.shutdown_timeout,
    }[name]
    return own.total_seconds() + 10
