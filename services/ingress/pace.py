"""How long the octets of a message may keep us waiting. Pure."""

from __future__ import annotations

MIN_OCTETS_PER_SECOND = 500
"""As Postfix has it (smtpd_min_data_rate): what is slower holds a session and says nothing."""


class Pace:
    """The patience with one message. Waiting uses it up, octets restore it: never beyond what it was at the start.

    So a client may pause as long as the patience allows between two parts that are worth it, but not after each octet.
    """

    def __init__(self, patience_seconds: float) -> None:
        self.seconds_left = self._patience = patience_seconds

    def note(self, octets: int, waited_seconds: float) -> None:
        """Count octets that came after some seconds of waiting."""
        left = self.seconds_left - waited_seconds + octets / MIN_OCTETS_PER_SECOND
        self.seconds_left = min(max(left, 0.0), self._patience)
