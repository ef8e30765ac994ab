"""An installation may lack a service's libraries: then one line says which extra to install."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from shared.errors import ConfigurationError


@contextmanager
def needs_extra(name: str) -> Iterator[None]:
    """Turn a missing library, or a missing service, into a ConfigurationError that names the extra."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("shared"):
            raise
        raise ConfigurationError(
            f"this installation cannot run {name} (no module {error.name}): pip install 'causeway[{name}]'"
        ) from None
