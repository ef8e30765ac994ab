"""What the conversion of one message may use: one value for all its parts, steps and destinations.

Limits of single parts add up: a message has thousands of them. So whatever multiplies (messages sent beside it, text
given out, edits, dates of recurring meetings) is charged to the message, as it is made, and not afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from shared.errors import BudgetExceeded

Resource = Literal["extra_messages", "extra_bytes", "text_bytes", "edits", "occurrences", "nested_bytes"]
"""extra_messages, extra_bytes: what is sent beside the message, envelopes included. text_bytes: what edits put in.
edits: their number. occurrences: dates that recurrence rules were followed to. nested_bytes: of the messages attached
inside Outlook's rich text, each with all that is in it."""

_NO_LIMITS: Mapping[Resource, int] = MappingProxyType({})


class Budget:
    """What is left of each resource, and of the processor time that optional steps may take; without limits, all.

    cpu_seconds: for all steps that may be passed over, together.
    """

    def __init__(self, limits: Mapping[Resource, int] = _NO_LIMITS, cpu_seconds: float | None = None) -> None:
        self._limits = limits
        self._spent: dict[Resource, int] = {}
        self._cpu_seconds = cpu_seconds

    def affords(self, resource: Resource, amount: int) -> bool:
        """Whether so much is left."""
        limit = self._limits.get(resource)
        return limit is None or self.spent(resource) + amount <= limit

    def spend(self, resource: Resource, amount: int = 1) -> None:
        """Use up so much. Raises BudgetExceeded, and uses up nothing, where less is left."""
        if not self.affords(resource, amount):
            name = resource.replace("_", " ")
            raise BudgetExceeded(f"the message asks for more than {self._limits[resource]} {name}")
        self._spent[resource] = self.spent(resource) + amount

    def spent(self, resource: Resource) -> int:
        """Return how much was used up."""
        return self._spent.get(resource, 0)

    @property
    def step_seconds(self) -> float | None:
        """Processor seconds that the next step may take, None for any: half of what is left, so each gets some."""
        return None if self._cpu_seconds is None else self._cpu_seconds / 2

    def spend_seconds(self, seconds: float) -> None:
        """Count the processor time of a step."""
        if self._cpu_seconds is not None:
            self._cpu_seconds = max(self._cpu_seconds - seconds, 0.001)


UNLIMITED = Budget()
"""For readers that are asked for one value and not for a message."""
