"""The `causeway` command. Exit codes: 0 done, 1 refused or failed, 2 usage. A fault is one line on standard error."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version

from services.cli import certificate, check, convert, dead, explain, queue, service, trace, up
from services.cli.options import UsageError, add_command
from shared.errors import CausewayError, ConfigurationError

COMMANDS = (up, service, check, explain, convert, queue, trace, dead, certificate)
"""Each has `add(commands)`, which registers its parsers; a parser's `run` default is what the command does."""


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
    demo = add_command(commands, "demo", "carry sample messages both ways through a gateway of its own", _demo)
    demo.add_argument("--stay", action="store_true", help="keep the gateway up until Ctrl-C instead")
    return parser


def _demo(options: argparse.Namespace) -> int:
    from services.demo import demonstration

    return demonstration.main(options)


if __name__ == "__main__":
    sys.exit(main())
