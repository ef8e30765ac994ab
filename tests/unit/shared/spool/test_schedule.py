"""Which upkeep is due when; that it does its work on both kinds of client is in tests/contract."""

from __future__ import annotations

from itertools import islice

import pytest

from shared.spool.schedule import (
    ANNOUNCE_SECONDS,
    MAX_WAIT_SECONDS,
    RECONCILE_SECONDS,
    UPKEEP_SECONDS,
    UpkeepSchedule,
    waits_while_unavailable,
)


@pytest.fixture
def schedule() -> UpkeepSchedule:
    return UpkeepSchedule("w1", ["transform"], max_crashes=3, lease_seconds=60)


def count_due(schedule: UpkeepSchedule, now: float) -> int:
    return len(list(schedule.due(now, is_busy=False)))


def test_everything_is_due_at_the_start_and_then_after_its_own_time(schedule: UpkeepSchedule) -> None:
    assert count_due(schedule, 0.0) == 3
    assert count_due(schedule, UPKEEP_SECONDS / 2) == 0
    assert count_due(schedule, UPKEEP_SECONDS) == 1
    assert count_due(schedule, ANNOUNCE_SECONDS) == 2
    assert count_due(schedule, ANNOUNCE_SECONDS + RECONCILE_SECONDS) == 3


def test_an_operation_that_failed_and_those_behind_it_are_due_again_at_once(schedule: UpkeepSchedule) -> None:
    due = schedule.due(0.0, is_busy=False)
    next(due)
    next(due)  # fails: its worker asks for no more
    assert count_due(schedule, 0.0) == 2, "only the first was done"


def test_missed_times_are_not_made_up_for(schedule: UpkeepSchedule) -> None:
    """After a pause of the machine, everything is done once."""
    count_due(schedule, 0.0)
    assert [count_due(schedule, 3600.0), count_due(schedule, 3600.5)] == [3, 0]


def test_the_waits_grow_to_the_longest_and_go_on() -> None:
    waits = list(islice(waits_while_unavailable(), 20))
    assert waits == sorted(waits)
    assert waits[0] > 0
    assert waits[-1] == waits[-2] == MAX_WAIT_SECONDS
