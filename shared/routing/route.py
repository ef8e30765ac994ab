"""Where a recipient goes. Pure; the first rule that matches wins.

1. a row of the map, a Notes name or an internal domain: to the system it lives in;
2. a public domain that one other system has for itself: to that system;
3. anything else: to the default route of the system it came from, but from the Internet only our own domains;
4. no such route: nowhere. The gateway never relays by accident.

Our systems trust us, so from the Internet no recipient may ask one of them to relay either: `user%partner.example`,
`"user@partner.example"` or `partner.example!user` at a domain of ours, or an IMCEASMTP that only Exchange can read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from shared.configuration.systems import System
from shared.errors import MalformedAddress
from shared.mail.address import Address, unquote
from shared.routing.address_map import AddressMap
from shared.routing.recognize import Recognized, recognize
from shared.routing.rewrite import internal, public
from shared.routing.topology import Topology


@dataclass(frozen=True, slots=True)
class Route:
    """A way for one recipient.

    system: the destination's name. address: what the destination is told in RCPT TO. public: what everybody may see.
    why: the rules that led here, one line each.
    """

    system: str
    address: str
    public: str
    why: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NoRoute:
    """The recipient goes nowhere. reason: one line for the log; the client is told 550 5.7.1 and no more."""

    reason: str
    why: tuple[str, ...] = ()


def route(recipient: str, source: str, topology: Topology, address_map: AddressMap) -> Route | NoRoute:
    """Return where a recipient of a message from the system `source` goes."""
    sender = topology.systems.get(source)
    if sender is None:
        return NoRoute(f'no system is named "{source}"')
    if recipient.lower() == "postmaster" and sender.public_domain:  # RFC 5321 section 4.5.1
        recipient = f"{recipient}@{sender.public_domain}"
    found = recognize(recipient, topology, address_map)
    system, why = _destination(found, sender, topology)
    if system is None:
        return NoRoute(why, found.why)
    address = internal(found, system, topology, address_map)
    try:
        Address.parse(address)
    except MalformedAddress as fault:
        return NoRoute(str(fault), (*found.why, why))
    return Route(system.name, address, public(found, topology, address_map), (*found.why, why))


def _leads_out(found: Recognized, topology: Topology) -> bool:
    """Whether the local part asks the system it is addressed to to send the mail on to a domain that is not ours."""
    local = unquote(found.local).rstrip(". ")
    if found.pair or found.name:
        return False
    *before, last = re.split("[@%]", local)
    first, _, rest = local.partition("!")
    onward = [last] if before else [first] if rest else []
    named = any("." in domain and not topology.is_ours(domain) for domain in onward)
    return named or local.upper().startswith("IMCEASMTP-")


def _destination(found: Recognized, sender: System, topology: Topology) -> tuple[System | None, str]:
    if sender.kind == "internet" and _leads_out(found, topology):
        return None, f"{found.local} names a domain that is not ours, and {sender.name} is the Internet: write to it"
    lives_there = found.pair or found.name or topology.owner(found.domain) is found.owner
    if found.owner and (lives_there or found.owner is not sender):
        return found.owner, f"it lives in {found.owner.name}"
    address = found.pair.public if found.pair else found.address
    domain = address.rpartition("@")[2]
    sharers = topology.sharers(domain)
    if len(sharers) == 1 and sharers[0] is not sender:
        return sharers[0], f"public domain {domain} is {sharers[0].name}'s alone"
    if sender.kind == "internet" and not topology.is_ours(domain):
        return None, f"{domain} is no domain of ours, and {sender.name} is the Internet: list it in `systems[].domains`"
    default = topology.systems.get(sender.default_route or "")
    if default is None or default is sender:
        return None, f"{domain} is no domain of ours, and {sender.name} has no default_route to another system"
    return default, f"default route of {sender.name}"
