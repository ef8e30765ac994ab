"""Reports the extra to install where the libraries of a service are missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from shared.errors import ConfigurationError


@contextmanager
def needs_extra(name: str) -> Iterator[None]:
    """Turn a missing library or service inside the block into a ConfigurationError that names the extra."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("shared"):
            raise
        raise ConfigurationError(
            f"this installation cannot run {name} (no module {error.name}): pip install 'causeway[{name}]'"
        ) from None
