"""SIGHUP, which asks a running process to read its settings again.

Its default action would end a process that has no handler yet, so a process that may be sent one holds it back first:
what arrives meanwhile is handled when the handler is there. Child processes inherit that.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

HANGUP = {signal.SIGHUP}


def hold() -> None:
    """Hold SIGHUP back until `let_in`, in this thread and in what it starts."""
    signal.pthread_sigmask(signal.SIG_BLOCK, HANGUP)


def let_in() -> None:
    """Let SIGHUP arrive: there is a handler for it."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HANGUP)


@contextmanager
def held() -> Iterator[None]:
    """Hold SIGHUP back inside the block: a process started there is not ended by one that comes too early."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, HANGUP)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
