"""Starts a command that ends with its parent: `python tether.py PARENT COMMAND…`, which becomes COMMAND.

The command is sent SIGTERM when its parent dies in any way (Linux, PR_SET_PDEATHSIG, which survives exec), and does not
see the terminal's SIGINT and SIGHUP, so that the parent decides who stops first. Run as a file, with the standard
library only, so that it costs milliseconds; and not as a `preexec_fn`, which may deadlock beside threads.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(parent: int, command: list[str]) -> None:
    """Tie this process to its parent and become the command. Exits at once where the parent is already gone."""
    signal.pthread_sigmask(
        signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP}
    )  # a mask survives exec, and servers' own handlers
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        sys.exit(1)
    try:
        os.execvp(command[0], command)  # noqa: S606 (the command is ours)
    except OSError as error:
        sys.exit(f"{command[0]}: {error.strerror}")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
