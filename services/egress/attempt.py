"""The ledger of one attempt: which recipients are left, what is known of the others, whether a final dot may go out.

It outlives whatever ends the attempt, so that nothing a host has decided is lost.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Iterable

from shared.errors import CausewayError
from shared.mail.delivery import Delivery, DeliveryRecipient
from shared.mail.outcome import Deferred, Outcome
from shared.mail.reply import Reply

STOPPED = Reply(451, "delivery interrupted before the host replied", "4.3.2")


class LeaseRanOutError(CausewayError):
    """Another worker may hold the delivery by now: the final dot must not go out."""


class Attempt:
    """One attempt to deliver to the pending recipients of a delivery.

    held_until: monotonic seconds up to which no other worker can have the lease. given_up: no further final dot may go
    out. committed: one went out, and its reply is not known yet. outcomes: of the recipients a host decided about.
    """

    __slots__ = ("_left", "committed", "given_up", "held_until", "outcomes")

    def __init__(self, delivery: Delivery, held_until: float = math.inf) -> None:
        self.held_until = held_until
        self.given_up = False
        self.committed = False
        self.outcomes: tuple[Outcome, ...] = ()
        self._left = {recipient.address: recipient for recipient in delivery.pending}

    @property
    def left(self) -> tuple[DeliveryRecipient, ...]:
        """The recipients without an outcome."""
        return tuple(self._left.values())

    @property
    def has_begun(self) -> bool:
        """Whether a host may have, or has, decided anything."""
        return self.committed or bool(self.outcomes)

    def commit(self) -> None:
        """Note that a final dot goes out now. Raises CancelledError or LeaseRanOutError where it must not.

        A process that was stopped (SIGSTOP, a paused machine) continues here before it learns that its lease is lost.
        """
        if self.given_up:
            raise asyncio.CancelledError
        if time.monotonic() >= self.held_until:
            raise LeaseRanOutError("the lease ran out before the final dot")
        self.committed = True

    def record(self, outcomes: Iterable[Outcome]) -> None:
        """Note the outcomes of a transaction; no final dot waits for its reply any more."""
        outcomes = tuple(outcomes)
        for outcome in outcomes:
            self._left.pop(outcome.recipient, None)
        self.outcomes += outcomes
        self.committed = False

    def completed(self, outcome_of: Callable[[str], Outcome]) -> tuple[Outcome, ...]:
        """Return an outcome for each recipient: what is recorded, and `outcome_of` the address of each that is left."""
        return (*self.outcomes, *(outcome_of(address) for address in self._left))

    def deferred(
        self,
        reply: Reply,
        host: str | None = None,
        *,
        ambiguous: bool = False,
        retry_seconds: float | None = None,
        unserved: bool = False,
    ) -> tuple[Outcome, ...]:
        """Return an outcome for each recipient: what is recorded, and all that are left deferred alike."""
        return self.completed(lambda address: Deferred(address, reply, host, ambiguous, retry_seconds, unserved))

    def interrupted(self) -> tuple[Outcome, ...]:
        """Return an outcome for each recipient of an attempt that was ended from outside.

        Those no host has decided about are tried by another worker at once; where a final dot went out, only by the
        retry schedule.
        """
        return self.deferred(STOPPED, ambiguous=self.committed, retry_seconds=None if self.committed else 0.0)
