"""Which smart host to try next: tiers by preference, a weighted choice inside each. Pure; `random` is an argument.

RFC 5321 section 5.1: lower preference first, equal ones at random. RFC 2782: inside a preference, a share by weight.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from random import Random

from shared.configuration.smart_hosts import SmartHost

MAX_HOSTS_PER_ATTEMPT = 5
"""Hosts tried for one message before it is deferred (RFC 5321 section 5.1 asks for at least two)."""

_WEIGHT_OF_ZERO = 0.001
"""RFC 2782: beside weights greater than 0, a weight of 0 is "a very small chance of being selected"."""


@dataclass(frozen=True, slots=True)
class Host:
    """One next hop as it is connected to. `settings` has its TLS level, certificate and CA.

    is_secure: nobody can have forged the name; it is configured, or from MX records that DNSSEC has validated.
    """

    name: str
    port: int
    preference: int
    weight: int
    settings: SmartHost
    is_secure: bool = False

    @property
    def key(self) -> str:
        """`host:port`, the name of its health and its metrics."""
        return f"{self.name}:{self.port}"

    @property
    def certificate_name(self) -> str:
        """The name that a verified certificate must have: never one that only DNS has given, which can be forged."""
        return self.settings.name or self.settings.mx or self.name

    @property
    def protection(self) -> str | None:
        """What `tls: verify` compares the certificate with, in the words of `check`; None where nothing is verified."""
        if self.settings.tls != "verify":
            return None
        kind = "name" if self.settings.name else "configured domain" if self.settings.mx else "configured host"
        return f"{kind} {self.certificate_name}"


Tier = Sequence[Host]


def tiers(hosts: Iterable[Host]) -> tuple[Tier, ...]:
    """Group the hosts by preference, best first. A host named twice counts once, at its best preference."""
    unique: dict[str, Host] = {}
    for host in sorted(hosts, key=lambda host: host.preference):
        unique.setdefault(host.key, host)
    return tuple(tuple(tier) for _, tier in groupby(unique.values(), key=lambda host: host.preference))


def choose(among: Tier, has_room: Callable[[Host], bool], random: Random) -> Host | None:
    """Return a host that has room, each with a chance in proportion to its weight; None where all are at a limit."""
    hosts = [host for host in among if has_room(host)]
    if not hosts:
        return None
    return random.choices(hosts, [host.weight or _WEIGHT_OF_ZERO for host in hosts])[0]


def candidates(ranked: Sequence[Tier], tried: Mapping[Host, bool], usable: Callable[[Host], bool]) -> Tier:
    """Return the hosts among which to choose the next one for a message: usable ones of a single tier; () to give up.

    tried: the hosts that were tried, at most MAX_HOSTS_PER_ATTEMPT, and whether each was usable then. The next tier
    comes only when no usable host of the tier is left. Where every host is marked down, the marks are ignored and the
    best tier is tried.
    """
    if len(tried) >= MAX_HOSTS_PER_ATTEMPT:
        return ()
    for tier in ranked:
        if left := [host for host in tier if host not in tried and usable(host)]:
            return left
    if any(tried.values()):
        return ()
    return [host for tier in ranked[:1] for host in tier if host not in tried]
