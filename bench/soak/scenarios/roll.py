"""A rolling update, repeatedly: a new replica becomes ready, an old replica is stopped."""

from __future__ import annotations

from bench.soak.replicas import BY_NAME
from bench.soak.trial import Scenario, Trial

RATE = 50


def inflict(trial: Trial) -> None:
    """Replace every replica of every service in turn; a round that has begun is ended."""
    rounds = 0
    with trial.load(RATE):
        while trial.pause(1):
            for service in BY_NAME:
                for child in trial.gateway.replicas(service):
                    trial.replace(service, child)
            rounds += 1
    trial.facts["rounds"] = rounds
    trial.remarks.append(f"every replica was replaced {rounds} times")


SCENARIO = Scenario("roll", "SIGTERM roll of every replica", 3, inflict)
