"""How much the conversion of one message may use, by its size. Pure.

The limits do not affect ordinary mail: they are far above the use of any message of the corpus. An exhausted budget
fails a step; the message then passes without the step, or is parked if the step is mandatory.
"""

from __future__ import annotations

from shared.configuration.transform import TransformSettings
from shared.mail.budget import Budget

_MIB = 1024 * 1024

MAX_EDITS = 100_000
MAX_OCCURRENCES = 20_000
MAX_NESTED_BYTES = 64 * _MIB
CPU_SECONDS = 3.0
CPU_BYTES_PER_SECOND = 10 * _MIB


def budget_for(size: int, settings: TransformSettings) -> Budget:
    """Return the budget of a message of `size` bytes.

    What is sent beside a message grows Redis by less than twenty times the message, once that is 100 KB long. Its
    neighbours wait no longer than its processor time.
    """
    return Budget(
        {
            "extra_messages": settings.max_extra_messages,
            "extra_bytes": min(max(3 * _MIB // 2, 8 * size), 64 * _MIB),
            "text_bytes": 4 * _MIB + 8 * size,
            "edits": MAX_EDITS,
            "nested_bytes": MAX_NESTED_BYTES,
            "occurrences": MAX_OCCURRENCES,
        },
        CPU_SECONDS + size / CPU_BYTES_PER_SECOND,
    )
