"""What all replicas together may do with a smart host, on a real Redis and both kinds of client."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.spool import keys
from shared.spool.host_quota import Pace, Renewal, Slot, pace_of, renew_slots, return_slots, take_slot, take_turn
from tests.contract.conftest import Run

HOST = "mx.example.com:25"
LONG = 60.0


def slots(replica: str, start: int = 1) -> Iterator[Slot]:
    return (Slot(HOST, replica, number) for number in count(start))


def taken(run: Run, replica: str, asks: int, most: int = 3, start: int = 1) -> list[Slot]:
    """Ask so many times for a slot; return those that were granted."""
    return [
        slot for _, slot in zip(range(asks), slots(replica, start), strict=False) if run(take_slot(slot, most, LONG))
    ]


def clock(client: redis.Redis) -> float:
    seconds, microseconds = client.time()
    return float(seconds) + float(microseconds) / 1e6


def move_clock(client: redis.Redis, seconds: float) -> None:
    """Let Redis' clock go forward, as what is kept sees it."""
    for key in (keys.host_slots(HOST), keys.host_wanted(HOST)):
        for member in client.zrange(key, 0, -1):
            assert isinstance(member, bytes)
            client.zincrby(key, -seconds, member)
    if due := client.get(keys.host_turn(HOST)):
        client.set(keys.host_turn(HOST), f"{float(due) - seconds:.6f}")


def test_all_replicas_together_hold_no_more_slots_than_allowed(run: Run) -> None:
    assert len(taken(run, "a", 2)) == 2
    assert len(taken(run, "b", 2)) == 1
    assert not taken(run, "c", 1)


def test_another_host_has_slots_of_its_own(run: Run) -> None:
    assert len(taken(run, "a", 3)) == 3
    assert run(take_slot(Slot("other.example.com:25", "a", 9), 1, LONG))


def test_a_slot_that_is_returned_is_free(run: Run) -> None:
    held = taken(run, "a", 3)
    run(return_slots(held[:1]))
    assert len(taken(run, "b", 2)) == 1


def test_slots_of_a_replica_that_renews_no_longer_run_out(run: Run, redis_client: redis.Redis) -> None:
    taken(run, "killed", 2)
    [kept] = taken(run, "a", 1)
    move_clock(redis_client, LONG - 1)
    assert not taken(run, "b", 1)
    run(renew_slots("a", [kept], LONG))
    move_clock(redis_client, 2)
    assert len(taken(run, "b", 3)) == 2


def test_a_late_renewal_is_reported_and_still_counted(run: Run, redis_client: redis.Redis) -> None:
    """Its connections are still there until it has closed them."""
    late = taken(run, "late", 3)
    move_clock(redis_client, LONG + 1)
    held = taken(run, "b", 3)
    assert len(held) == 3
    assert run(renew_slots("late", late, LONG)).lost == {slot.name for slot in late}
    run(return_slots(held))
    assert not taken(run, "c", 1)


def test_a_replica_without_a_slot_is_heard_and_goes_first(run: Run, redis_client: redis.Redis) -> None:
    held = taken(run, "rich", 3)
    assert not taken(run, "poor", 1)
    assert run(renew_slots("rich", held, LONG)) == Renewal(frozenset(), frozenset({HOST}))
    run(return_slots(held[:1]))
    assert not taken(run, "rich", 1, start=9), "while a poorer one waits"
    [got] = taken(run, "poor", 1)
    assert run(renew_slots("rich", held[1:], LONG)).wanted == frozenset()
    assert run(renew_slots("poor", [got], LONG)).wanted == frozenset()
    move_clock(redis_client, 3)
    run(renew_slots("rich", held[1:], LONG))
    run(renew_slots("poor", [got], LONG))
    run(return_slots(held[1:2]))
    assert len(taken(run, "rich", 1, start=20)) == 1, "its wish was forgotten"


def test_replicas_that_hold_as_many_take_nothing_from_each_other(run: Run) -> None:
    one, other = taken(run, "a", 1, most=2), taken(run, "b", 1, most=2)
    assert not taken(run, "a", 1, most=2, start=5)
    assert not taken(run, "b", 1, most=2, start=5)
    assert not run(renew_slots("a", one, LONG)).wanted
    assert not run(renew_slots("b", other, LONG)).wanted


def test_no_slot_lasts_longer_because_the_clock_went_back(run: Run, redis_client: redis.Redis) -> None:
    taken(run, "killed", 3)
    move_clock(redis_client, -3600)
    assert not taken(run, "a", 1)
    move_clock(redis_client, LONG + 1)
    assert len(taken(run, "a", 3)) == 3


def test_a_burst_goes_at_once_and_the_rest_evenly_spread(run: Run, redis_client: redis.Redis) -> None:
    pace = Pace(60, 3)
    assert [run(take_turn(HOST, pace)) for _ in range(3)] == [0, 0, 0]
    assert 50 < run(take_turn(HOST, pace)) <= 60
    move_clock(redis_client, 60)
    assert run(take_turn(HOST, pace)) == 0
    assert run(take_turn(HOST, pace)) > 0
    move_clock(redis_client, 86400)
    assert [run(take_turn(HOST, pace)) == 0 for _ in range(4)] == [True, True, True, False], (
        "idle time saves up no more"
    )


def test_no_wait_is_longer_after_the_clock_is_set_back(run: Run, redis_client: redis.Redis) -> None:
    assert run(take_turn(HOST, Pace(10, 1))) == 0
    move_clock(redis_client, -3600)
    assert run(take_turn(HOST, Pace(10, 1))) <= 10


def test_no_span_sees_more_messages_than_burst_and_rate_allow(run: Run, redis_client: redis.Redis) -> None:
    """The time of each grant is known to lie between Redis' time before and after."""
    pace, granted = Pace(0.01, 5), list[tuple[float, float]]()
    while len(granted) < 60:
        before = clock(redis_client)
        if run(take_turn(HOST, pace)) == 0:
            granted.append((before, clock(redis_client)))
    for first in range(len(granted)):
        for last in range(first, len(granted)):
            longest = granted[last][1] - granted[first][0]
            assert last - first + 1 <= pace.burst + longest / pace.seconds + 1e-6


def test_nothing_is_left_of_a_host_that_gets_no_more_mail(run: Run, redis_client: redis.Redis) -> None:
    taken(run, "a", 4)
    run(take_turn(HOST, Pace(1, 1)))
    for key in (keys.host_slots(HOST), keys.host_wanted(HOST), keys.host_turn(HOST)):
        assert 0 < redis_client.ttl(key) <= 2 * LONG


def test_limits_hold_in_a_full_redis(run: Run, redis_client: redis.Redis) -> None:
    redis_client.config_set("maxmemory", 1)
    held = taken(run, "a", 4)
    assert len(held) == 3
    assert run(renew_slots("a", held, LONG)).lost == frozenset()
    assert run(take_turn(HOST, Pace(60, 1))) == 0
    assert run(take_turn(HOST, Pace(60, 1))) > 0
    run(return_slots(held))


@given(st.integers(1, 100_000))
def test_no_minute_sees_more_messages_than_the_setting_says(messages_per_minute: int) -> None:
    """Of an even flow behind a burst, a minute that begins with the burst sees most."""
    pace = pace_of(messages_per_minute)
    later = -(-60 // pace.seconds) if (60 / pace.seconds) % 1 > 1e-9 else round(60 / pace.seconds)
    assert pace.burst + later - 1 <= messages_per_minute
    assert 60 / pace.seconds >= messages_per_minute * 0.98 or messages_per_minute < 120


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(
    most=st.integers(1, 4),
    acts=st.lists(
        st.tuples(st.sampled_from(["take", "return", "renew", "kill", "later"]), st.integers(0, 2)), max_size=40
    ),
)
def test_never_more_slots_are_held_than_allowed(
    run: Run, redis_client: redis.Redis, most: int, acts: list[tuple[str, int]]
) -> None:
    redis_client.flushall()
    held: dict[str, list[Slot]] = {"0": [], "1": [], "2": []}
    numbers = count(1)
    for act, who in acts:
        mine = held[str(who)]
        match act:
            case "take":
                slot = Slot(HOST, str(who), next(numbers))
                mine += [slot] if run(take_slot(slot, most, LONG)) else []
            case "return" if mine:
                run(return_slots([mine.pop()]))
            case "kill":
                mine.clear()
            case "later":  # every live replica renews in time
                move_clock(redis_client, LONG / 2)
                for replica, theirs in held.items():
                    assert not theirs or not run(renew_slots(replica, theirs, LONG)).lost
            case _ if mine:
                assert not run(renew_slots(str(who), mine, LONG)).lost
        assert sum(map(len, held.values())) <= most
    for _ in range(3):
        move_clock(redis_client, LONG / 2)
        for replica, theirs in held.items():
            assert not theirs or not run(renew_slots(replica, theirs, LONG)).lost
    free = most - sum(map(len, held.values()))
    fresh = [run(take_slot(Slot(HOST, "new", next(numbers)), most, LONG)) for _ in range(most)]
    assert sum(fresh) == free, "what the killed ones held has come back"
