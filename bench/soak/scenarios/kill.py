"""Any process, Redis too, is killed at any time."""

from __future__ import annotations

from bench.soak.trial import Scenario, Trial

RATE = 50
BETWEEN_SECONDS = 10
"""The mean between two kills; a worker's lease is 30 s, so several are in different states of being missed."""


def inflict(trial: Trial) -> None:
    """SIGKILL one process after the other, chosen by chance."""
    with trial.load(RATE):
        while trial.pause(trial.random.expovariate(1 / BETWEEN_SECONDS)):
            trial.kill(trial.random.choice(trial.gateway.children))


SCENARIO = Scenario("kill", "SIGKILL of each process at random", 10, inflict)
