"""A time limit for work that cannot be trusted to end: an alarm that raises in the main thread."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

AGAIN_SECONDS = 0.1
"""The alarm repeats: one raised where Python swallows exceptions (a finalizer, a callback) must not be the last."""


class DeadlineExceeded(BaseException):
    """The time is up. No `Exception`, so that no `except Exception` inside the work can hold it."""


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Raise DeadlineExceeded in the block once it has run for `seconds`.

    For the main thread only. An alarm that was set before keeps its handler and the rest of its time.
    """

    def raise_exceeded(_number: int, _frame: FrameType | None) -> None:
        raise DeadlineExceeded

    began = time.monotonic()
    handler = signal.signal(signal.SIGALRM, raise_exceeded)
    remaining, interval = signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN_SECONDS)
    try:
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    finally:  # once more: the alarm may have struck between the end of the block and the line above
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        if remaining:
            signal.setitimer(signal.ITIMER_REAL, max(remaining - (time.monotonic() - began), 1e-6), interval)
