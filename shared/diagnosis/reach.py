"""Whom the configuration lets in: networks that are the Internet, and certificates that strangers have too."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network, IPv6Network, collapse_addresses

from shared.configuration.settings import Settings
from shared.configuration.values import Network

IPV4 = IPv4Network("0.0.0.0/0")
IPV6 = IPv6Network("2000::/3")
"""The part that is in use (RFC 4291 section 2.4)."""
SHARED_DOMAIN = "outlook.com"
"""Of the certificate that Exchange Online shows for all customers: outlook.com, *.mail.protection.outlook.com …"""


def is_internet(networks: Iterable[Network]) -> bool:
    """Whether networks together are half of the Internet or more, over IPv4 or over IPv6."""
    listed = list(networks)
    four = collapse_addresses(network for network in listed if isinstance(network, IPv4Network))
    six = collapse_addresses(
        network if network.subnet_of(IPV6) else IPV6
        for network in listed
        if isinstance(network, IPv6Network) and network.overlaps(IPV6)
    )
    return 2 * _addresses(four) >= IPV4.num_addresses or 2 * _addresses(six) >= IPV6.num_addresses


def _addresses(networks: Iterable[Network]) -> int:
    return sum(network.num_addresses for network in networks)


def warnings_of_reach(settings: Settings) -> Iterator[str]:
    """Yield a line where more people are let in than was probably intended."""
    for i, system in enumerate(settings.systems):
        is_relay = system.kind != "internet" or system.default_route is not None
        if is_relay and is_internet(system.networks):
            yield (
                f"systems[{i}].networks: cover half of the Internet or more: anyone can send as {system.name}: "
                "name only the addresses of its servers"
            )
        for name in filter(_is_shared, system.client_names):
            yield (
                f"systems[{i}].client_names: {name} is in the certificate that all customers of Exchange Online share: "
                f"anyone there can send as {system.name}: name its networks"
            )
    if is_internet(settings.ingress.proxy_protocol_from):
        yield (
            "ingress.proxy_protocol_from: covers half of the Internet or more: anyone can claim any address: "
            "name only the addresses of the load balancers"
        )


def _is_shared(name: str) -> bool:
    return f".{name.lower().rstrip('.')}".endswith(f".{SHARED_DOMAIN}")
