"""What the tests of egress build again and again."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from shared.mail.delivery import Delivery, DeliveryRecipient

MakeDelivery = Callable[..., Delivery]


@pytest.fixture
def make_delivery() -> MakeDelivery:
    """Return a function that builds a delivery to some addresses; the first recipients' NOTIFY can be given."""

    def make(*addresses: str, notify: tuple[Any, ...] = (), **changes: Any) -> Delivery:
        now = changes.pop("received_at", time.time())
        recipients = tuple(DeliveryRecipient(one, one, one, notify) for one in addresses or ("b@example.com",))
        base = Delivery("m1-exchange", "m1", "notes", "exchange", "a@example.com", recipients, 100, now, now)
        return replace(base, **changes)

    return make
