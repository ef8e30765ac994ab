"""More replicas, then fewer, under load."""

from __future__ import annotations

from bench.soak.trial import Scenario, Trial

RATE = 50
MOST = 4
SCALED = ("transform", "egress")


def inflict(trial: Trial) -> None:
    """Scale transform and egress from 1 to 4 replicas after a quarter of the time, and back after three."""
    gateway = trial.gateway
    with trial.load(RATE):
        trial.pause(trial.seconds / 4)
        for service in SCALED:
            trial.note(f"{service} 1 -> {MOST}")
            gateway.start(service, MOST - 1)
        trial.pause(trial.seconds / 2)
        for service in SCALED:
            trial.note(f"{service} {MOST} -> 1")
            for child in gateway.replicas(service)[:-1]:  # the newest stays: what the first one held has to move
                gateway.retire(child)
        trial.pause(trial.seconds)


SCENARIO = Scenario(
    "scale", "transform and egress 1 -> 4 -> 1", 3, inflict, replicas={"ingress": 1, "transform": 1, "egress": 1}
)
