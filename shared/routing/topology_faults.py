"""Faults of the systems and the map as a whole, found before start. Pure.

A fault is one line: key, cause, remedy. Two systems that are each other's default route are normal, not a fault.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import combinations, permutations, product

from shared.configuration.systems import System
from shared.mail.address import domain_key
from shared.routing.address_map import MAX_FAULTS, AddressMap
from shared.routing.recognize import pair_owner
from shared.routing.route import Gateway
from shared.routing.topology import Topology


def faults(systems: Sequence[System]) -> list[str]:
    """Return every fault of the systems, in the order of the keys; none for systems that can carry mail."""
    if not systems:
        return ["systems: empty; add the mail systems on both sides"]
    if duplicates := list(_names(systems)):
        return duplicates  # the other faults refer to systems by name
    checks = (
        _networks,
        _client_names,
        _domains,
        _public_domains,
        _envelope_domains,
        _default_routes,
        _smart_hosts,
    )
    return [fault for check in checks for fault in check(systems)]


def map_faults(systems: Sequence[System], address_map: AddressMap, file: str) -> list[str]:
    """Return contradictions of map and systems, at most `MAX_FAULTS` lines."""
    topology = Topology(systems)
    found: list[str] = []
    for pair in address_map:
        where = f"{file}:{pair.line}"
        if topology.public_domain(pair.public.rpartition("@")[2]):
            found.append(
                f"{where}: public {pair.public} is in an internal domain; show another, or correct systems[].domains"
            )
        if pair_owner(pair, topology) is None:
            found.append(f"{where}: internal {pair.internal} belongs to no system; add its domain to systems[].domains")
    return found[:MAX_FAULTS]


def postmaster_faults(systems: Sequence[System], gateway: Gateway) -> Iterator[str]:
    """Yield the faults of the gateway's postmaster: mail to it must never come back to the gateway."""
    if gateway.postmaster is None:
        return
    topology, domain = Topology(systems), gateway.postmaster.rpartition("@")[2]
    if domain_key(domain) in gateway.hostnames and not topology.is_listed(domain):
        yield f"postmaster: {gateway.postmaster} is at the gateway's own hostname; name a person in one of the systems"
    elif not topology.is_ours(domain):
        yield f"postmaster: {domain} is not a domain of any system; name a person in one of the systems"


def _names(systems: Sequence[System]) -> Iterator[str]:
    yield from _shared(systems, "name", lambda system: [system.name], str, "give each system a name of its own")


def _networks(systems: Sequence[System]) -> Iterator[str]:
    for (first, system), (second, other) in combinations(enumerate(systems), 2):
        for left in system.networks:
            for right in other.networks:
                if left.version == right.version and left.overlaps(right):
                    yield (
                        f"systems[{second}].networks: {right} ({other.name}) overlaps {left} of systems[{first}] "
                        f"({system.name}); a client belongs to one system only: narrow one of them"
                    )


def _client_names(systems: Sequence[System]) -> Iterator[str]:
    yield from _shared(systems, "client_names", lambda system: system.client_names, str.lower, "remove one of them")
    for (index, system), (_, other) in permutations(enumerate(systems), 2):
        for name, wildcard in product(system.client_names, other.client_names):
            if _covers(wildcard.lower(), name.lower()):
                remedy = f"remove {name}, or narrow the wildcard"
                yield f"systems[{index}].client_names: {name} is covered by {wildcard} of {other.name}; {remedy}"


def _covers(wildcard: str, name: str) -> bool:
    """Whether `*.example.com` matches the name, one label deep (RFC 6125 section 6.4.3)."""
    return wildcard.startswith("*.") and wildcard != name and name.partition(".")[2] == wildcard[2:]


def _domains(systems: Sequence[System]) -> Iterator[str]:
    yield from _shared(systems, "domains", lambda system: system.domains, domain_key, "a domain belongs to one system")
    yield from _shared(
        systems,
        "notes_domains",
        lambda system: system.notes_domains,
        domain_key,
        "a Notes domain belongs to one system",
    )


def _public_domains(systems: Sequence[System]) -> Iterator[str]:
    for index, system in enumerate(systems):
        own = domain_key(system.public_domain or "")
        for other in systems:
            shown = domain_key(other.public_domain or "")
            if other is not system and shown and shown != own and shown in map(domain_key, system.domains):
                yield (
                    f"systems[{index}].domains: {shown} is the public_domain of {other.name}; "
                    f"remove it, or make it {system.name}'s public_domain too"
                )


def _envelope_domains(systems: Sequence[System]) -> Iterator[str]:
    for index, system in enumerate(systems):
        domain = domain_key(system.envelope_domain or "")
        for other in systems:
            theirs = {*map(domain_key, other.domains)}
            if domain != domain_key(system.public_domain or ""):  # in a single namespace, all accept the public one
                theirs |= {domain_key(other.envelope_domain or ""), domain_key(other.public_domain or "")}
            if domain and other is not system and domain in theirs:
                yield (
                    f"systems[{index}].envelope_domain: {domain} belongs to {other.name}; "
                    f"name a domain that only {system.name} accepts"
                )


def _default_routes(systems: Sequence[System]) -> Iterator[str]:
    following = {system.name: system.default_route for system in systems}
    for index, system in enumerate(systems):
        key, route = f"systems[{index}].default_route", system.default_route
        if route is None:
            continue
        if route not in following:
            yield f'{key}: unknown system "{route}"; use one of {", ".join(following)}'
        elif route == system.name:
            yield f"{key}: {route} is the system itself; name another system, or null"
        elif len(cycle := _cycle(system.name, following)) > 2 and system.name == min(cycle):
            yield f"{key}: cyclic route {' -> '.join([*cycle, cycle[0]])}; change one of them, or set it to null"


def _cycle(name: str, following: dict[str, str | None]) -> list[str]:
    """Return the systems on the cycle from `name` back to `name`, [] where there is none."""
    path = [name]
    while (step := following.get(path[-1])) is not None and step not in path:
        path.append(step)
    return path if step == name else []


def _smart_hosts(systems: Sequence[System]) -> Iterator[str]:
    for index, system in enumerate(systems):
        routed_here = [other.name for other in systems if other.default_route == system.name and other is not system]
        causes = [
            *(f"default_route of {name}" for name in routed_here),
            *(key for key in ("domains", "notes_domains") if getattr(system, key)),
        ]
        if causes and not system.smart_hosts:
            yield (
                f"systems[{index}].smart_hosts: none, but mail is routed to {system.name} ({', '.join(causes)}); "
                "add a host or an mx"
            )


def _shared(
    systems: Sequence[System],
    key: str,
    values: Callable[[System], Iterable[str]],
    form: Callable[[str], str],
    remedy: str,
) -> Iterator[str]:
    """Yield a fault for each value that an earlier system has already."""
    first: dict[str, int] = {}
    for index, system in enumerate(systems):
        for value in values(system):
            earlier = first.setdefault(form(value), index)
            if earlier != index:
                yield f"systems[{index}].{key}: {value} is also in systems[{earlier}].{key}; {remedy}"
