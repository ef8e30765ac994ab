"""`causeway ingress|transform|egress`: one service, as a container runs it."""

from __future__ import annotations

import argparse
from functools import partial
from importlib import import_module
from typing import get_args

from services.cli.extras import needs_extra
from services.cli.options import Commands, add_command
from shared.runtime import service
from shared.runtime.service import Name


def add(commands: Commands) -> None:
    """Register the three commands."""
    for name in get_args(Name):
        service.add_options(add_command(commands, name, f"run the {name} service", partial(run, name)))


def run(name: Name, options: argparse.Namespace) -> int:
    """Run one service until it is told to stop."""
    with needs_extra(name):
        app = import_module(f"services.{name}.app")
    return service.start(name, app.run, options)
