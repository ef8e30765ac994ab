"""What became of each message of a soak: how often it was sent, when it was acknowledged, where it ended.

A message's tag is its fate and its number, `taken.17`. It travels in the envelope: the recipient is the tag, the sender
`from.` and the tag, so that the recipient of a report identifies the message.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import count, pairwise

FATES = ("taken", "later", "refused", "parked")
"""The fate of a message at the smart host: accepted, accepted at the second attempt, refused, refused and without a
sender to report to."""
SENDER_PREFIX = "from."


def fate_of(number: int, fates: tuple[str, ...] = FATES) -> str:
    """Return the fate of the message of that number: of five hundred, ten come later, ten are refused, two parked."""
    fate = {0: "later", 1: "refused"}.get(number % 50, "parked" if number % 250 == 2 else "taken")
    return fate if fate in fates else "taken"


@dataclass
class Ledger:
    """Times are monotonic seconds. sent: how often a message was sent up to its final dot."""

    sent: Counter[str] = field(default_factory=Counter)
    acknowledged: dict[str, float] = field(default_factory=dict)
    rejected: dict[str, str] = field(default_factory=dict)
    delivered: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    reported: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    dead: Counter[str] = field(default_factory=Counter)
    in_clear: int = 0
    interruptions: Counter[str] = field(default_factory=Counter)
    numbers: count[int] = field(default_factory=count)
    begun: int = 0

    def begin(self, fates: tuple[str, ...]) -> str:
        """Return the tag of the next message."""
        self.begun += 1
        number = next(self.numbers)
        return f"{fate_of(number, fates)}.{number}"

    def arrive(self, recipients: list[str], *, encrypted: bool) -> None:
        """Note what a smart host has taken: a message, or a report to its sender. recipients: their local parts."""
        self.in_clear += not encrypted
        for name in recipients:
            if name.startswith(SENDER_PREFIX):
                self.reported[name.removeprefix(SENDER_PREFIX)].append(time.monotonic())
            else:
                self.delivered[name].append(time.monotonic())

    def ends(self, tag: str) -> int:
        """Return how often the message came to an end."""
        return len(self.delivered.get(tag, ())) + len(self.reported.get(tag, ())) + self.dead[tag]

    def lost(self) -> list[str]:
        """Return the tags that were acknowledged and never came to an end."""
        return [tag for tag in self.acknowledged if not self.ends(tag)]

    def doubled(self) -> tuple[int, int]:
        """Return how many ends there were too many: because the client sent again what it got no answer for, and else.

        A client that loses its connection before the 250 cannot know, and sends again (RFC 5321 section 4.5.4.1).
        """
        by_client = by_gateway = 0
        for tag, times in self.sent.items():
            extra = max(0, self.ends(tag) - 1)
            explained = min(extra, times - 1)
            by_client += explained
            by_gateway += extra - explained
        return by_client, by_gateway

    def latencies(self, since: float, until: float) -> list[float]:
        """Return the sorted seconds from 250 to delivery of what was acknowledged in a span of time and taken."""
        return sorted(
            max(0.0, self.delivered[tag][0] - at)
            for tag, at in self.acknowledged.items()
            if since <= at < until and tag.startswith("taken.") and self.delivered.get(tag)
        )

    def recovery_seconds(self, fault_at: float) -> float:
        """Return how long after a fault the last message that was acknowledged before it was delivered."""
        return max(
            (
                self.delivered[tag][0] - fault_at
                for tag, at in self.acknowledged.items()
                if at <= fault_at and tag.startswith("taken.") and self.delivered.get(tag)
            ),
            default=0.0,
        )


def longest_gap(times: Iterable[float]) -> float:
    """Return the longest time in which nothing happened between the first and the last."""
    ordered = sorted(times)
    return max((later - earlier for earlier, later in pairwise(ordered)), default=0.0)
