"""What happens to smart hosts. host: "name:port"."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from shared.history.base import Event


@dataclass(frozen=True, slots=True)
class HostFailed(Event):
    """A smart host could not be used: no connection, no TLS, or a reply that concerns the host itself."""

    name = "host.failed"
    level = logging.WARNING

    system: str
    host: str
    cause: str


@dataclass(frozen=True, slots=True)
class HostMarkedDown(Event):
    """A smart host is marked down; a probe follows in `seconds`."""

    name = "host.marked_down"
    level = logging.WARNING

    system: str
    host: str
    seconds: float


@dataclass(frozen=True, slots=True)
class HostMarkedUp(Event):
    """A smart host that was marked down is usable again."""

    name = "host.marked_up"

    system: str
    host: str


@dataclass(frozen=True, slots=True)
class LookupFailed(Event):
    """The addresses of a host could not be looked up. known: those of the last answer, which stay in use."""

    name = "lookup.failed"
    level = logging.WARNING

    host: str
    cause: str
    known: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EncryptionSkipped(Event):
    """A connection to a smart host with `tls: opportunistic` is in the clear: TLS was not offered, or failed."""

    name = "encryption.skipped"
    level = logging.WARNING

    system: str
    host: str
    cause: str
