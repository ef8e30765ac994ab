"""Starts a command that ends with its parent: `python tether.py PARENT STOP COMMAND…`, which becomes COMMAND.

The command receives the signal STOP when its parent dies in any way (Linux, PR_SET_PDEATHSIG, which survives exec).
The other ones of SIGTERM, SIGINT and SIGHUP are blocked, whatever their sender, so that the parent controls the order
of stopping. Run as a file, with the standard library only, so that it costs milliseconds; not as a `preexec_fn`, which
may deadlock in a program with threads.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

PR_SET_PDEATHSIG = 1


def tethered(command: Sequence[str], stop: signal.Signals = signal.SIGTERM) -> list[str]:
    """Return the command line that starts a command tied to this process."""
    return [sys.executable, "-I", "-S", __file__, str(os.getpid()), str(int(stop)), *command]


def main(parent: int, stop: int, command: list[str]) -> None:
    """Tie this process to its parent and become the command. Exits at once where the parent is already gone."""
    others = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP} - {stop}
    # A signal mask survives exec and handlers of servers. This process may have inherited a mask that blocks STOP.
    signal.pthread_sigmask(signal.SIG_SETMASK, others)
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, stop)
    if os.getppid() != parent:
        sys.exit(1)
    try:
        os.execvp(command[0], command)  # noqa: S606 (the command is trusted)
    except OSError as error:
        sys.exit(f"{command[0]}: {error.strerror}")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
