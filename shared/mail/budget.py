"""The resource budget for the conversion of one message, shared by all its parts, steps and destinations.

Limits per part add up, because a message may have thousands of parts. So everything that multiplies (extra messages,
inserted text, edits, dates of recurring meetings) is charged to the message when it is created, not afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from shared.errors import BudgetExceeded

Resource = Literal["extra_messages", "extra_bytes", "text_bytes", "edits", "occurrences", "nested_bytes"]
"""extra_messages, extra_bytes: messages sent in addition, envelopes included. text_bytes: text inserted by edits.
edits: their number. occurrences: dates that recurrence rules were followed to. nested_bytes: of the messages attached
inside Outlook's rich text, each with its contents."""

_NO_LIMITS: Mapping[Resource, int] = MappingProxyType({})


class Budget:
    """The remaining amount of each resource, and of processor time for optional steps; unlimited without limits.

    cpu_seconds: for all optional steps together.
    """

    def __init__(self, limits: Mapping[Resource, int] = _NO_LIMITS, cpu_seconds: float | None = None) -> None:
        self._limits = limits
        self._spent: dict[Resource, int] = {}
        self._cpu_seconds = cpu_seconds

    def affords(self, resource: Resource, amount: int) -> bool:
        """Whether this amount is left."""
        limit = self._limits.get(resource)
        return limit is None or self.spent(resource) + amount <= limit

    def spend(self, resource: Resource, amount: int = 1) -> None:
        """Charge this amount. Raises BudgetExceeded, and charges nothing, if less is left."""
        if not self.affords(resource, amount):
            name = resource.replace("_", " ")
            raise BudgetExceeded(f"the message needs more than {self._limits[resource]} {name}")
        self._spent[resource] = self.spent(resource) + amount

    def spent(self, resource: Resource) -> int:
        """Return the amount charged so far."""
        return self._spent.get(resource, 0)

    @property
    def step_seconds(self) -> float | None:
        """Processor seconds for the next step, None if unlimited: half of the rest, so every step gets some."""
        return None if self._cpu_seconds is None else self._cpu_seconds / 2

    def spend_seconds(self, seconds: float) -> None:
        """Count the processor time of a step."""
        if self._cpu_seconds is not None:
            self._cpu_seconds = max(self._cpu_seconds - seconds, 0.001)


UNLIMITED = Budget()
"""For readers that work outside the conversion of a message."""
