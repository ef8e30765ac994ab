"""What happens to the files that a service was given: configuration, certificates, address map."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from shared.history.base import Event


@dataclass(frozen=True, slots=True)
class ConfigurationWarning(Event):
    """The configuration can be used, but may not be what was meant."""

    name = "configuration.warning"
    level = logging.WARNING

    warning: str


@dataclass(frozen=True, slots=True)
class ConfigurationReloaded(Event):
    """The configuration was read again and is in force. changed: the keys that have other values than before."""

    name = "configuration.reloaded"

    changed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RestartNeeded(Event):
    """Keys of the configuration that was read again differ from those in force, and need a restart to change."""

    name = "configuration.restart_needed"
    level = logging.WARNING

    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ConfigurationRejected(Event):
    """The configuration was read again and cannot be used; the old one stays in force. faults: one line each."""

    name = "configuration.rejected"
    level = logging.ERROR

    faults: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CertificateReloaded(Event):
    """New certificate files are in use. use: "ingress", or the smart host."""

    name = "certificate.reloaded"

    use: str


@dataclass(frozen=True, slots=True)
class CertificateRejected(Event):
    """New certificate files cannot be used; the old certificate stays in use. use: "ingress", or the smart host."""

    name = "certificate.rejected"
    level = logging.ERROR

    use: str
    cause: str


@dataclass(frozen=True, slots=True)
class AddressMapLoaded(Event):
    """A new version of the address map is in use."""

    name = "address_map.loaded"

    file: str
    pairs: int


@dataclass(frozen=True, slots=True)
class AddressMapRejected(Event):
    """A new version of the address map cannot be used; the old one stays in use. faults: one line each."""

    name = "address_map.rejected"
    level = logging.ERROR

    file: str
    faults: tuple[str, ...]
    pairs_kept: int


@dataclass(frozen=True, slots=True)
class AddressMapShrunk(Event):
    """A new version of the address map lacks too many pairs (`addresses.max_shrink`); the old one stays in use.

    Correct the file; or, where the change is intended, reload or restart each service.
    """

    name = "address_map.shrunk"
    level = logging.ERROR

    file: str
    pairs: int
    pairs_kept: int
