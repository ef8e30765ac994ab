"""A service of several processes: the parent answers HTTP for all of them and supervises them.

They share their metrics through the files of prometheus_client's multi-process mode.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from shared.configuration.settings import Settings
from shared.errors import ConfigurationError
from shared.operations.processes import Child, Program, Supervisor
from shared.runtime.gauges import Gauges
from shared.runtime.health import GroupHealth
from shared.runtime.health_server import answering_http
from shared.runtime.reload import CurrentSettings
from shared.runtime.service import Service

METRICS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


def restart_as_parent(service: Service, options: argparse.Namespace) -> None:
    """Become the parent of a group, in a new image: prometheus_client looks for its folder when it is imported.

    Raises ConfigurationError where no folder for the metrics can be made.
    """
    try:
        folder = tempfile.mkdtemp(prefix="causeway-metrics-", dir=os.environ.get(METRICS_VARIABLE))
    except OSError as error:
        raise ConfigurationError(
            f"--processes: cannot create a folder for metrics ({error.strerror}): "
            f"set ${METRICS_VARIABLE} to a writable folder"
        ) from None
    command = [*_command(service, options), "--processes", str(options.processes), "--metrics", folder]
    os.execve(command[0], command, {**os.environ, METRICS_VARIABLE: folder})  # noqa: S606 (ourselves)


def run_parent(service: Service, settings: Settings, options: argparse.Namespace) -> None:
    """Run the processes of a group until a signal ends them. options.metrics: the folder, removed at the end."""
    folder: Path = options.metrics
    beats = [folder / f"beat-{number}" for number in range(options.processes)]
    children = [
        Child(
            Program(
                f"{service.name}-{number}",
                [*_command(service, options), "--beat", str(beat)],
                drain_seconds=service.drain_seconds(settings),
                reloads=True,
            ),
            on_exit=lambda pid: mark_process_dead(pid, str(folder)),  # type: ignore[no-untyped-call]
        )
        for number, beat in enumerate(beats)
    ]
    registry = CollectorRegistry()
    MultiProcessCollector(registry, str(folder))  # type: ignore[no-untyped-call]
    gauges = Gauges(settings)
    health = GroupHealth(beats, gauges.ready, service.live_seconds(settings))
    current = CurrentSettings(settings, options.config, on_change=gauges.show)
    supervisor = Supervisor([children], on_stop=health.drain, may_reload=current.reload)
    supervisor.obey_signals()
    try:
        with answering_http(settings, health, gauges.refresh, registry):
            supervisor.run()
    finally:
        gauges.close()
        shutil.rmtree(folder, ignore_errors=True)


def _command(service: Service, options: argparse.Namespace) -> list[str]:
    config = ["--config", str(options.config)] if options.config else []
    return [sys.executable, "-m", f"services.{service.name}", *config]
