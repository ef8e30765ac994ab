"""Limits the processor time of steps with one timer for all of them: a step costs two readings of a clock."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

TICK_SECONDS = 0.05


class StepTimeExceeded(BaseException):
    """The step has used its time up. No `Exception`, so that no `except Exception` inside a step can hold it."""


class StepClock:
    """Knows when the current step has to end. It raises until `stop`: a first StepTimeExceeded may be swallowed."""

    def __init__(self) -> None:
        self._began = 0.0
        self._seconds: float | None = None

    def start(self, seconds: float) -> None:
        """Begin a step that may use so many seconds of the processor."""
        self._began, self._seconds = time.process_time(), seconds

    def stop(self) -> float:
        """End the step; returns the seconds that it used."""
        self._seconds = None
        return time.process_time() - self._began

    def _tick(self, _number: int, _frame: FrameType | None) -> None:
        if self._seconds is not None and time.process_time() - self._began > self._seconds:
            raise StepTimeExceeded


def _ignore(_number: int, _frame: FrameType | None) -> None:
    pass


@contextmanager
def step_clock() -> Iterator[StepClock]:
    """Yield a clock whose steps end in time. For the main thread only."""
    clock = StepClock()
    handler = signal.signal(signal.SIGPROF, clock._tick)
    signal.setitimer(signal.ITIMER_PROF, TICK_SECONDS, TICK_SECONDS)
    try:
        yield clock
    finally:
        clock.stop()
        signal.setitimer(signal.ITIMER_PROF, 0)
        # A tick that is on its way must not end the process, which it does by default.
        signal.signal(signal.SIGPROF, _ignore if handler is signal.SIG_DFL else handler)
