"""Where a recipient goes. Pure; the first rule that matches wins.

1. a row of the map, a Notes name or an internal domain: to its home system;
2. a public domain that only one other system has: to that system;
3. anything else: to the default route of the system it came from, but from the Internet only our own domains;
4. no such route: refused. The gateway never relays by accident.

Our systems trust the gateway, so no recipient in mail from the Internet may make one of them relay either:
`user%partner.example`, `"user@partner.example"` or `partner.example!user` at a domain of
ours, or an IMCEASMTP that only Exchange can read.
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

    system: the destination's name. address: the one for RCPT TO. public: the public address. why: the rules that
    applied, one line each.
    """

    system: str
    address: str
    public: str
    why: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NoRoute:
    """The recipient is refused. reason: one line for the log; the reply to the client is only 550 5.7.1."""

    reason: str
    why: tuple[str, ...] = ()


def route(recipient: str, source: str, topology: Topology, address_map: AddressMap) -> Route | NoRoute:
    """Return where a recipient of a message from the system `source` goes."""
    sender = topology.systems.get(source)
    if sender is None:
        return NoRoute(f'unknown system "{source}"')
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
    """Whether the local part asks the destination to relay to a domain that is not ours."""
    local = unquote(found.local).rstrip(". ")
    if found.pair or found.name:
        return False
    *before, last = re.split("[@%]", local)
    first, _, rest = local.partition("!")
    onward = [last] if before else [first] if rest else []
    leaves = any("." in domain and not topology.is_ours(domain) for domain in onward)
    return leaves or local.upper().startswith("IMCEASMTP-")


def _destination(found: Recognized, sender: System, topology: Topology) -> tuple[System | None, str]:
    if sender.kind == "internet" and _leads_out(found, topology):
        return (
            None,
            f"{found.local} relays to a domain that is not ours, and {sender.name} is the Internet",
        )
    is_home = found.pair or found.name or topology.owner(found.domain) is found.owner
    if found.owner and (is_home or found.owner is not sender):
        return found.owner, f"its home system is {found.owner.name}"
    address = found.pair.public if found.pair else found.address
    domain = address.rpartition("@")[2]
    sharers = topology.sharers(domain)
    if len(sharers) == 1 and sharers[0] is not sender:
        return sharers[0], f"public domain {domain} belongs only to {sharers[0].name}"
    if sender.kind == "internet" and not topology.is_ours(domain):
        return (
            None,
            f"{domain} is not one of our domains, and {sender.name} is the Internet: list it in `systems[].domains`",
        )
    default = topology.systems.get(sender.default_route or "")
    if default is None or default is sender:
        return None, f"{domain} is not one of our domains, and {sender.name} has no default_route to another system"
    return default, f"default route of {sender.name}"
