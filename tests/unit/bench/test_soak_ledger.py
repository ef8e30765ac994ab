"""The account of a soak: what it would call lost, doubled and slow."""

from __future__ import annotations

from bench.soak.ledger import FATES, Ledger, fate_of, longest_gap


def acknowledged(*tags: str) -> Ledger:
    """Return a ledger of messages that were sent and acknowledged once, a second apart."""
    ledger = Ledger()
    for second, tag in enumerate(tags):
        ledger.sent[tag] += 1
        ledger.acknowledged[tag] = float(second)
    return ledger


def test_what_was_acknowledged_and_came_to_no_end_is_lost() -> None:
    ledger = acknowledged("taken.1", "refused.2", "parked.3", "taken.4")
    ledger.arrive(["taken.1"], encrypted=True)
    ledger.arrive(["from.refused.2"], encrypted=True)
    ledger.dead["parked.3"] += 1
    assert ledger.lost() == ["taken.4"]


def test_a_report_is_an_end_of_the_message_it_is_about_and_no_delivery() -> None:
    ledger = acknowledged("refused.1")
    ledger.arrive(["from.refused.1"], encrypted=True)
    assert (list(ledger.delivered), list(ledger.reported)) == ([], ["refused.1"])


def test_a_duplicate_that_the_client_sent_is_not_the_gateways() -> None:
    ledger = acknowledged("taken.1", "taken.2")
    ledger.sent["taken.1"] = 2
    for tag in ("taken.1", "taken.1", "taken.1", "taken.2"):
        ledger.arrive([tag], encrypted=True)
    assert ledger.doubled() == (1, 1)


def test_mail_in_the_clear_is_counted() -> None:
    ledger = acknowledged("taken.1")
    ledger.arrive(["taken.1"], encrypted=False)
    assert ledger.in_clear == 1


def test_recovery_lasts_until_what_was_accepted_before_the_fault_is_delivered() -> None:
    ledger = acknowledged("taken.0", "taken.1", "taken.2")
    ledger.delivered |= {"taken.0": [0.5], "taken.1": [41.0], "taken.2": [60.0]}
    assert ledger.recovery_seconds(1.0) == 40.0
    assert ledger.recovery_seconds(-1.0) == 0.0


def test_a_gap_is_between_two_that_follow_each_other() -> None:
    assert longest_gap([5.0, 1.0, 2.0]) == 3.0
    assert longest_gap([1.0]) == 0.0


def test_every_fate_is_met_and_only_those_asked_for() -> None:
    assert {fate_of(number) for number in range(500)} == set(FATES)
    assert {fate_of(number, ("taken",)) for number in range(500)} == {"taken"}
