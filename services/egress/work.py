"""One leased delivery in hand, from its lease to its settlement."""

from __future__ import annotations

import asyncio
import time
from random import Random

from services.egress.attempt import Attempt, LeaseRanOutError
from services.egress.courier import Courier
from services.egress.settlement import after_a_bug, settlement_of, without_content
from shared.configuration.settings import Settings
from shared.mail.outcome import Outcome
from shared.operations import metrics
from shared.spool.lease import Lease, LeasedDelivery
from shared.spool.settlement import Settlement


class Work:
    """A delivery that this worker holds. task: attempts it over the courier.

    settlement: what to write, once that is known. seconds: how long the attempt took.
    """

    __slots__ = ("attempt", "courier", "leased", "seconds", "settlement", "task")

    def __init__(self, leased: LeasedDelivery, held_until: float, courier: Courier) -> None:
        self.leased = leased
        self.courier = courier
        self.attempt = Attempt(leased.delivery, held_until)
        self.task: asyncio.Task[None] | None = None
        self.settlement: Settlement | None = None
        self.seconds = 0.0

    @property
    def lease(self) -> Lease:
        """The right to work on the delivery."""
        return self.leased.lease

    async def carry(self, content: bytes | None, settings: Settings, random: Random) -> None:
        """Attempt the delivery; whatever happens becomes its settlement.

        Raises CancelledError where it is cancelled before a host may have decided anything: then there is none.
        """
        if content is None:
            self.settlement = without_content(self.leased)
            return
        began = time.monotonic()
        try:
            outcomes = await self._outcomes(content)
            seconds = time.monotonic() - began
            self.settlement = settlement_of(
                self.leased, content, outcomes, settings, now=time.time(), seconds=seconds, random=random
            )
        except Exception as error:  # noqa: BLE001 (a bug affects one delivery, never its neighbours)
            self.settlement = after_a_bug(self.leased, self.attempt, error, settings, now=time.time(), random=random)
        self.seconds = time.monotonic() - began
        metrics.stage_seconds.labels("egress").observe(self.seconds)

    async def _outcomes(self, content: bytes) -> tuple[Outcome, ...]:
        try:
            return await self.courier.deliver(self.leased.delivery, content, self.leased.edits, self.attempt)
        except asyncio.CancelledError:
            if not self.attempt.has_begun:
                raise
        except LeaseRanOutError:
            pass
        return self.attempt.interrupted()
