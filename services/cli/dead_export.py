"""`causeway dead export`: writes dead letters into files."""

from __future__ import annotations

import argparse
from pathlib import Path

from services.cli.dead_selection import add_selection, select
from services.cli.options import Commands, add_command, add_json, add_spool
from services.cli.output import print_json
from shared.administration.dead_letters import export_dead_letters
from shared.administration.installation import open_installation
from shared.errors import CausewayError


def add(commands: Commands) -> None:
    """Register the command."""
    about = (
        "write dead letters into a folder: .eml (original), .converted.eml (if it was converted) and .json (the rest)"
    )
    parser = add_command(commands, "export", about, run)
    add_selection(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the folder")
    add_spool(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Export, and print the files."""
    try:
        with open_installation(options.config, options.data) as installation:
            letters = select(installation, options)
            files = [str(file) for file in export_dead_letters(installation, letters, options.out)]
    except FileExistsError as error:
        raise CausewayError(f"--out: {error.filename} exists already: choose another folder, or remove it") from None
    except OSError as error:
        raise CausewayError(
            f"--out: {error.filename} cannot be written ({error.strerror}): choose another folder"
        ) from None
    if options.json:
        print_json(files)
    else:
        print("\n".join(files) or "0 dead letters match")
    return 0
