"""Whether Redis' append-only file holds all its data, concluded from successive readings of the spool."""

from __future__ import annotations

from shared.configuration.redis import Durability
from shared.spool.gauge import SpoolGauge

_NOT_WHOLE = "Redis is rewriting its append-only file, which may be incomplete: mail is accepted when the rewrite ends"


class AppendOnlyFile:
    """What one reader of the spool knows about the file; this knowledge is dropped when the server changes.

    Quirks: turned on while Redis runs (CONFIG SET appendonly yes, a full synchronisation), the file counts as on at
    once, but no data survives a crash until its first rewrite has ended (Redis 6.2, 7.0). INFO does not distinguish
    this rewrite from later ones. So a file counts as complete once it was seen enabled and not being rewritten.
    """

    def __init__(self, declared: Durability) -> None:
        self._declared = declared
        self._whole_at = ""

    def problem(self, gauge: SpoolGauge) -> str:
        """Return why the spool is weaker than declared, in one line, or ""."""
        if gauge.file == "off":
            self._whole_at = ""
        elif gauge.file == "on":
            self._whole_at = gauge.server
        if gauge.problem or self._declared == "memory" or self._whole_at == gauge.server:
            return gauge.problem
        return _NOT_WHOLE
