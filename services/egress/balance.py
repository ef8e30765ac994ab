"""Which smart host to try next: tiers by preference, a weighted choice inside. Pure; chance comes as an argument.

RFC 5321 section 5.1: lower preference first, equal ones at random. RFC 2782: inside a preference, a share by weight.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from random import Random

from shared.configuration.systems import SmartHost

MAX_HOSTS_PER_ATTEMPT = 5
"""Hosts tried for one message before it is deferred (RFC 5321 section 5.1 asks for at least two)."""

_WEIGHT_OF_ZERO = 0.001
"""RFC 2782: beside weights greater than 0, a weight of 0 is "a very small chance of being selected"."""


@dataclass(frozen=True, slots=True)
class Host:
    """One next hop as it is connected to. `settings` has its TLS level, certificate and CA."""

    name: str
    port: int
    preference: int
    weight: int
    settings: SmartHost

    @property
    def key(self) -> str:
        """`host:port`, the name of its health and its metrics."""
        return f"{self.name}:{self.port}"


Tier = Sequence[Host]


def tiers(hosts: Iterable[Host]) -> tuple[Tier, ...]:
    """Group the hosts by preference, best first. A host named twice counts once, at its best preference."""
    unique: dict[str, Host] = {}
    for host in sorted(hosts, key=lambda host: host.preference):
        unique.setdefault(host.key, host)
    return tuple(tuple(tier) for _, tier in groupby(unique.values(), key=lambda host: host.preference))


def choose(tier: Tier, usable: Callable[[Host], bool], random: Random) -> Host | None:
    """Return a usable host of the tier, each with a chance in proportion to its weight; None where none is usable."""
    candidates = [host for host in tier if usable(host)]
    if not candidates:
        return None
    return random.choices(candidates, [host.weight or _WEIGHT_OF_ZERO for host in candidates])[0]


def order(
    hosts: Iterable[Host],
    usable: Callable[[Host], bool],
    random: Random,
    *,
    has_room: Callable[[Host], bool] = lambda _: True,
    tried: set[Host] | None = None,
) -> Iterator[Host | None]:
    """Yield the hosts to try for one message, at most MAX_HOSTS_PER_ATTEMPT, each once, asking `usable` each time.

    The next tier comes only when no host of the tier is left. Where every host is marked down, the marks are ignored
    and the best tier is tried. None instead of a host: those left of the tier are usable but have no room (a limit of
    ours), so wait, and go on. tried: the hosts that were yielded; take one out that had no room after all.
    """
    ranked = tiers(hosts)
    tried = set() if tried is None else tried

    def left(host: Host) -> bool:
        return host not in tried and usable(host)

    for ignoring_marks in (False, True):
        among = ranked[:1] if ignoring_marks else ranked
        is_left = (lambda host: host not in tried) if ignoring_marks else left
        while len(tried) < MAX_HOSTS_PER_ATTEMPT and (tier := _first(among, is_left)):
            chosen = choose(tier, has_room, random)
            if chosen:
                tried.add(chosen)
            yield chosen
        if tried:
            return


def _first(ranked: Sequence[Tier], is_left: Callable[[Host], bool]) -> Tier:
    """Return what is left of the best tier that has anything left."""
    for tier in ranked:
        if among := [host for host in tier if is_left(host)]:
            return among
    return ()
