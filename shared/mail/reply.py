"""An SMTP reply as a value (RFC 5321 section 4.2, enhanced codes RFC 3463)."""

from __future__ import annotations

import re
from dataclasses import dataclass

_ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?:\s+|$)")


@dataclass(frozen=True, slots=True)
class Reply:
    """A server's reply. enhanced: the RFC 3463 code, or None if the reply has none."""

    code: int
    text: str
    enhanced: str | None = None

    @classmethod
    def parse(cls, code: int, text: str) -> Reply:
        """Split the enhanced code from the text of a reply; the class of both codes must agree to count."""
        found = _ENHANCED.match(text)
        if found and found[1][0] == str(code)[0]:
            return cls(code, text[found.end() :], found[1])
        return cls(code, text)

    @property
    def is_positive(self) -> bool:
        """Whether the code is 2yz."""
        return 200 <= self.code < 300

    @property
    def is_permanent(self) -> bool:
        """Whether the code is 5yz."""
        return 500 <= self.code < 600

    def __str__(self) -> str:
        return " ".join(part for part in (str(self.code), self.enhanced, self.text) if part)
