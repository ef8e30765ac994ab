"""What is noticed while a message is converted."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from shared.history.base import Event


@dataclass(frozen=True, slots=True)
class StepFailed(Event):
    """A conversion step failed on a message, and its `on_failure` was followed. id: of the message.

    system: the destination. traceback: of the failure.
    """

    name = "step.failed"
    level = logging.ERROR

    id: str
    step: str
    system: str
    on_failure: str
    traceback: str


@dataclass(frozen=True, slots=True)
class AddressLeaked(Event):
    """A converted message still has internal addresses in its header. id: of the message.

    system: the destination. addresses: how many.
    """

    name = "address.leaked"
    level = logging.WARNING

    id: str
    system: str
    addresses: int
