"""Bounds the CPU time of single steps with one timer for all of them: a step costs one reading of the clock.

The handler of SIGPROF is installed once for the life of the process, because `signal.signal` costs as much as a step.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

TICK_SECONDS = 0.05


class StepTimeExceeded(BaseException):
    """The step has used up its time. Not an `Exception`, so that no `except Exception` inside a step catches it."""


class StepClock:
    """Measures steps that follow one another, and ends one that takes too long.

    Raises StepTimeExceeded at each tick until the next `start` or `stop`: the first one may be swallowed.
    """

    def __init__(self) -> None:
        self._began = time.process_time()
        self._seconds: float | None = None

    def start(self, seconds: float | None) -> None:
        """Begin a step that may use `seconds` of CPU time, None for any, from the end of the step before."""
        self._seconds = seconds

    def stop(self) -> float:
        """End the step; return the CPU seconds that it used."""
        self._seconds = None
        began, self._began = self._began, time.process_time()
        return self._began - began

    def check(self) -> None:
        """Raise StepTimeExceeded where the step has used up its time."""
        if self._seconds is not None and time.process_time() - self._began > self._seconds:
            raise StepTimeExceeded


_running: list[StepClock] = []
"""The clocks of conversions under way, one inside the other."""


def _tick(_number: int, _frame: FrameType | None) -> None:
    if _running:
        _running[-1].check()


@contextmanager
def step_clock() -> Iterator[StepClock]:
    """Yield a clock whose steps end in time. For the main thread only."""
    if signal.getsignal(signal.SIGPROF) is not _tick:
        signal.signal(signal.SIGPROF, _tick)
    clock = StepClock()
    _running.append(clock)
    signal.setitimer(signal.ITIMER_PROF, TICK_SECONDS, TICK_SECONDS)
    try:
        yield clock
    finally:
        clock.stop()
        _running.pop()
        if not _running:
            signal.setitimer(signal.ITIMER_PROF, 0)
