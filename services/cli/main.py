"""The `causeway` command. Exit codes: 0 done, 1 refused or failed, 2 usage. A fault is one line on standard error."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version

from services.cli import certificate, check, convert, dead, demo, explain, queue, services, trace, up
from services.cli.options import UsageError
from shared.errors import CausewayError, ConfigurationError

COMMANDS = (up, services, check, explain, convert, queue, trace, dead, certificate, demo)
"""Each module has `add(commands)`, which registers its parsers; the default `run` of a parser executes it."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code. Wrong usage exits with 2."""
    options = _parser().parse_args(argv)
    try:
        code: int = options.run(options)
        sys.stdout.flush()
    except UsageError as error:
        print(error, file=sys.stderr)
        return 2
    except ConfigurationError as error:
        print("\n".join(error.faults), file=sys.stderr)
        return 1
    except CausewayError as error:
        print(error, file=sys.stderr)
        return 1
    except BrokenPipeError:  # `causeway dead list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 1
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="causeway",
        description="Coexistence gateway: carries mail between HCL Domino and Microsoft Exchange.",
        epilog="First steps: causeway demo; then write causeway.yaml, causeway check, causeway up.",
    )
    parser.add_argument("--version", action="version", version=f"causeway {version('causeway')}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
