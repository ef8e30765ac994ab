"""Whether what Redis takes is in its append-only file, told from one reading of the spool to the next."""

from __future__ import annotations

from shared.configuration.redis import Durability
from shared.spool.gauge import SpoolGauge

_NOT_WHOLE = "Redis is rewriting its append-only file, maybe since that is new: mail is taken once this is done"


class AppendOnlyFile:
    """What one reader of the spool knows of the file; the file of another server is unknown again.

    Quirks: turned on while Redis runs (CONFIG SET appendonly yes, a full synchronisation), the file counts as on at
    once, yet nothing of it survives a crash until its first rewrite has ended (Redis 6.2, 7.0). INFO does not tell this
    rewrite from later ones. So a file is whole once it was seen on and not being rewritten.
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
