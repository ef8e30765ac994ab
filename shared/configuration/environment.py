"""Variables that look as if they were ours and set nothing."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from shared.configuration.settings import Settings

PREFIX = "CAUSEWAY_"
OTHERS = ("CONFIG", "DATA")
"""Variables that are no keys of the file."""
OF_KUBERNETES = re.compile(
    r"CAUSEWAY_([A-Z0-9_]+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_\w+)?)?)"
)
"""What Kubernetes sets in every container for a service whose name begins with `causeway`."""


def unknown_variables() -> Iterator[str]:
    """Yield a line for each variable that begins as ours do and is ignored.

    Those with a section, which is separated by two underscores, are not among them: `load` reports them as faults.
    """
    known = [*_variables(Settings), *OTHERS]
    for name in sorted(os.environ):
        prefix, key = name[: len(PREFIX)].upper(), name[len(PREFIX) :].upper()
        if prefix != PREFIX or "__" in key or key in known or OF_KUBERNETES.fullmatch(PREFIX + key):
            continue
        near = difflib.get_close_matches(key, known, n=1, cutoff=0.7)
        advice = "remove it; section and key are separated by two underscores"
        remedy = f"did you mean {PREFIX}{near[0]}?" if near else advice
        yield f"environment: {name}: unknown variable, which is ignored: {remedy}"


def _variables(section: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Yield the variable of each key, those of the sections below included."""
    for name, field in section.model_fields.items():
        yield f"{prefix}{name.upper()}"
        kind: Any = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _variables(kind, f"{prefix}{name.upper()}__")
