from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.egress.balance import MAX_HOSTS_PER_ATTEMPT, Host, candidates, choose, tiers
from shared.configuration.smart_hosts import SmartHost


def host(name: str, preference: int = 10, weight: int = 1) -> Host:
    return Host(name, 25, preference, weight, SmartHost(host=name, weight=weight, preference=preference))


def always(_host: Host) -> bool:
    return True


def never(_host: Host) -> bool:
    return False


def tried_in_order(hosts: list[Host], usable: Callable[[Host], bool], random: Random) -> list[Host]:
    """Return the hosts that an attempt tries in turn where all have room."""
    ranked, tried = tiers(hosts), dict[Host, bool]()
    while among := candidates(ranked, tried, usable):
        chosen = choose(among, always, random)
        assert chosen
        tried[chosen] = usable(chosen)
    return list(tried)


def test_a_lower_preference_comes_first_whatever_the_order_of_the_entries() -> None:
    ranked = tiers([host("c", 20), host("a", 0), host("b", 20)])
    assert [[one.name for one in tier] for tier in ranked] == [["a"], ["c", "b"]]


def test_a_host_named_twice_counts_once_at_its_best_preference() -> None:
    assert [[one.preference for one in tier] for tier in tiers([host("a", 20), host("a", 10)])] == [[10]]


@pytest.mark.parametrize("weights", [(1, 1), (3, 1), (100, 1)])
def test_shares_are_proportional_to_weights(weights: tuple[int, int]) -> None:
    """Chi-square over 20,000 choices, one degree of freedom, at the 0.1 % level."""
    draws, random = 20_000, Random(20261123)
    tier = [host(f"h{weight}-{number}", weight=weight) for number, weight in enumerate(weights)]
    counts = Counter(choose(tier, always, random) for _ in range(draws))
    expected = [draws * weight / sum(weights) for weight in weights]
    chi_square = sum((counts[one] - wanted) ** 2 / wanted for one, wanted in zip(tier, expected, strict=True))
    assert chi_square < 10.83


def test_hosts_of_equal_weight_are_chosen_at_random() -> None:
    """RFC 5321 section 5.1, for weights that are all zero as for any other."""
    tier = [host(name, weight=0) for name in "abcd"]
    random = Random(1)
    counts = Counter(choose(tier, always, random) for _ in range(8000))
    assert all(1800 < counts[one] < 2200 for one in tier)


def test_weight_zero_beside_others_has_a_very_small_chance() -> None:
    tier, random = [host("some", weight=1), host("zero", weight=0)], Random(2)
    counts = Counter(choose(tier, always, random) for _ in range(20_000))
    assert 0 < counts[tier[1]] < 100


def test_no_host_is_chosen_where_none_is_usable() -> None:
    assert choose([host("a")], never, Random(1)) is None


def test_the_next_tier_comes_only_when_no_host_of_the_first_is_left() -> None:
    hosts = [host("a", 10), host("b", 10), host("backup", 20)]
    for seed in range(20):
        names = [one.name for one in tried_in_order(hosts, always, Random(seed))]
        assert sorted(names[:2]) == ["a", "b"]
        assert names[2:] == ["backup"]


def test_marks_are_ignored_where_every_host_is_down_and_only_the_best_tier_is_tried() -> None:
    hosts = [host("a", 10), host("b", 10), host("backup", 20)]
    assert sorted(one.name for one in tried_in_order(hosts, never, Random(1))) == ["a", "b"]


def test_a_host_that_goes_down_meanwhile_is_left_out() -> None:
    ranked = tiers([host("a", 10), host("b", 20), host("c", 30)])
    [a], [_], [c] = ranked
    assert candidates(ranked, {a: True}, lambda host: host.name != "b") == [c]


def test_marks_are_not_ignored_once_a_usable_host_was_tried() -> None:
    """However the others were marked meanwhile: the message waits for its retry."""
    ranked = tiers([host("a", 10), host("b", 10)])
    [[a, _]] = ranked
    assert candidates(ranked, {a: True}, never) == ()


def test_a_host_that_is_back_is_tried_while_marks_are_ignored() -> None:
    ranked = tiers([host("a", 10), host("b", 10), host("backup", 20)])
    [[a, b], [backup]] = ranked
    assert candidates(ranked, {a: False}, never) == [b]
    assert candidates(ranked, {a: False}, lambda host: host is backup) == [backup]


hosts_strategy = st.lists(
    st.builds(host, st.sampled_from("abcdefghij"), st.integers(0, 3), st.integers(0, 3)), max_size=12
)


@given(hosts_strategy, st.sets(st.sampled_from("abcdefghij")), st.integers(0, 1000))
def test_an_attempt_tries_each_host_once_in_order_of_preference(hosts: list[Host], down: set[str], seed: int) -> None:
    tried = tried_in_order(hosts, lambda one: one.name not in down, Random(seed))
    assert len({one.key for one in tried}) == len(tried) <= MAX_HOSTS_PER_ATTEMPT
    assert [one.preference for one in tried] == sorted(one.preference for one in tried)
    usable = {one.key for one in hosts if one.name not in down}
    if usable:
        assert {one.key for one in tried} <= usable
        assert len(tried) == min(len(usable), MAX_HOSTS_PER_ATTEMPT)
    else:
        assert bool(tried) == bool(hosts)


def test_a_host_without_room_leaves_its_share_to_the_others_of_its_tier() -> None:
    full, other, backup = host("full", weight=1000), host("other"), host("backup", 20)
    among = candidates(tiers([full, other, backup]), {}, always)
    for seed in range(20):
        assert choose(among, lambda host: host is not full, Random(seed)) is other


def test_no_message_goes_to_the_next_tier_because_the_first_has_no_room() -> None:
    """The first tier has a usable host, so no host of the next one is a candidate."""
    full, down, backup = host("full"), host("down"), host("backup", 20)
    among = candidates(tiers([full, down, backup]), {}, lambda host: host is not down)
    assert among == [full]
    assert choose(among, lambda host: host is backup, Random(1)) is None


def test_marks_that_are_ignored_make_no_room() -> None:
    among = candidates(tiers([host("down"), host("backup", 20)]), {}, never)
    assert choose(among, lambda host: host.name == "backup", Random(1)) is None
