"""The time limit of one message."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Callable
from contextlib import suppress

import pytest

from services.transform.deadline import DeadlineExceeded, deadline


def work_forever() -> None:
    while True:
        pass


def hold_every_exception() -> None:
    while True:
        with suppress(Exception):
            work_forever()


def swallow_the_first_alarm() -> None:
    with suppress(DeadlineExceeded):
        work_forever()
    work_forever()


def backtrack() -> None:
    re.match(r"(a+)+$", "a" * 64 + "b")


def use_a_deadline() -> None:
    """RQ's own worker sets an alarm around the job, which sets its own."""
    with deadline(60):
        pass
    work_forever()


@pytest.mark.parametrize(
    "work", [work_forever, hold_every_exception, swallow_the_first_alarm, backtrack, use_a_deadline]
)
def test_endless_work_ends(work: Callable[[], None]) -> None:
    began = time.monotonic()
    with pytest.raises(DeadlineExceeded), deadline(0.05):
        work()
    assert time.monotonic() - began < 10


def test_quick_work_leaves_no_alarm_behind() -> None:
    handler = signal.getsignal(signal.SIGALRM)
    with deadline(60):
        pass
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGALRM) is handler
