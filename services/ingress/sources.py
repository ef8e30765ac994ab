"""Which mail system a client belongs to: by the names in its certificate, else by its network. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from shared.configuration.systems import System
from shared.configuration.values import Network

ClientAddress = IPv4Address | IPv6Address


def client_address(text: str) -> ClientAddress:
    """Return the address as a value; an IPv4 address mapped into IPv6 is that IPv4 address. Raises ValueError."""
    address = ip_address(text.partition("%")[0])
    return getattr(address, "ipv4_mapped", None) or address


def is_within(address: ClientAddress, networks: Iterable[Network]) -> bool:
    """Whether one of the networks contains the address."""
    return any(address in network for network in networks)


def certificate_names(certificate: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Return the DNS names of a certificate that TLS has verified, as `getpeercert()` gives it (RFC 6125)."""
    if not certificate:
        return ()
    return tuple(name.lower() for kind, name in certificate.get("subjectAltName", ()) if kind == "DNS")


def name_matches(name: str, pattern: str) -> bool:
    """Whether a certificate's name matches the configured one. `*.example.com` matches exactly one label."""
    name, pattern = name.lower(), pattern.lower()
    if pattern.startswith("*."):
        label, _, domain = name.partition(".")
        return bool(label) and label != "*" and domain == pattern[2:]
    return name == pattern


class Sources:
    """How the clients of each system are identified."""

    def __init__(self, systems: Iterable[System]) -> None:
        self._names = [(pattern, system.name) for system in systems for pattern in system.client_names]
        networks = [(network, system.name) for system in systems for network in system.networks]
        self._networks = sorted(networks, key=lambda entry: -entry[0].prefixlen)  # the longest prefix first

    def system_of(self, address: ClientAddress, names: Sequence[str] = ()) -> tuple[str, str | None] | None:
        """Return the name of the client's system, and the certificate name that proved it, if one did; None: unknown.

        names: those of a verified certificate, which take precedence over the network.
        """
        for name in names:
            for pattern, system in self._names:
                if name_matches(name, pattern):
                    return system, name
        for network, system in self._networks:
            if address in network:
                return system, None
        return None
