"""`causeway ingress|transform|egress|…`: one service, as a container runs it."""

from __future__ import annotations

import argparse
from functools import partial

from services.all_services import SERVICES
from services.cli.options import Commands, add_command
from shared.runtime.options import add_service_options
from shared.runtime.service import Service
from shared.runtime.start import start


def add(commands: Commands) -> None:
    """Register a command for each service."""
    for service in SERVICES:
        about = f"run the {service.name} service"
        add_service_options(add_command(commands, service.name, about, partial(run, service)))


def run(service: Service, options: argparse.Namespace) -> int:
    """Run one service until a signal ends it."""
    return start(service, options)
