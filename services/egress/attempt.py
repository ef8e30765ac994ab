"""How far an attempt has come: what is known already outlives whatever ends it, and a late one sends no final dot."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from shared.errors import CausewayError
from shared.mail.delivery import DeliveryRecipient
from shared.mail.outcome import Deferred, Outcome
from shared.mail.reply import Reply

STOPPED = Reply(451, "stopped before the host had answered", "4.3.2")


class LeaseRanOutError(CausewayError):
    """Another worker may hold the delivery by now: the final dot must not go out."""


@dataclass(slots=True)
class Attempt:
    """held_until: monotonic seconds up to which nobody else can have the lease. given_up: no further final dot may go.

    committed: one went out, and its answer is not known yet. outcomes: what is known so far.
    """

    held_until: float = math.inf
    given_up: bool = False
    committed: bool = False
    outcomes: list[Outcome] = field(default_factory=list)

    @property
    def has_begun(self) -> bool:
        """Whether a host may have, or has, decided anything."""
        return self.committed or bool(self.outcomes)

    def commit(self) -> None:
        """Note that a final dot goes out now. Raises CancelledError or LeaseRanOutError where it must not.

        A process that was stopped (SIGSTOP, a paused machine) goes on here before it hears that its lease is lost.
        """
        if self.given_up:
            raise asyncio.CancelledError
        if time.monotonic() >= self.held_until:
            raise LeaseRanOutError("the lease ran out before the final dot")
        self.committed = True

    def learn(self, outcomes: Iterable[Outcome]) -> None:
        """Note what a transaction came to; no final dot waits for its answer any more."""
        self.outcomes += outcomes
        self.committed = False

    def interrupted(self, pending: Iterable[DeliveryRecipient]) -> tuple[Outcome, ...]:
        """Return an outcome for each pending recipient of an attempt that was ended from outside.

        Whom no host has decided about is served at once by another worker; where there is a doubt, it is given time.
        """
        known = {one.recipient for one in self.outcomes}
        left = (one.address for one in pending if one.address not in known)
        wait = None if self.committed else 0.0
        deferred = (Deferred(one, STOPPED, ambiguous=self.committed, retry_seconds=wait) for one in left)
        return (*self.outcomes, *deferred)
