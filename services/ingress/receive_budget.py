"""How long ingress may wait for the bytes of one message. Pure."""

from __future__ import annotations

MIN_BYTES_PER_SECOND = 500
"""As in Postfix (smtpd_min_data_rate): a slower client occupies a session for too long."""


class ReceiveBudget:
    """The time that may be spent waiting for one message.

    Waiting uses it up, received bytes restore it, but never beyond what it was at the start. So a client may pause for
    all of it between two large parts, but not after each byte.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds_left = self._seconds = seconds

    def record(self, size: int, waited_seconds: float) -> None:
        """Account for `size` bytes that came after some seconds of waiting."""
        left = self.seconds_left - waited_seconds + size / MIN_BYTES_PER_SECOND
        self.seconds_left = min(max(left, 0.0), self._seconds)
