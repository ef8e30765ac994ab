"""The route of a recipient. Pure; the first rule that matches wins.

1. a row of the map, a Notes name or an internal domain: to its home system;
2. a public domain that only one other system has: to that system;
3. anything else: to the default route of the system it came from, but from the Internet only our own domains;
4. no such route: refused. The gateway never relays by accident.

Before all of these, mail to the gateway itself: `postmaster` without a domain (RFC 5321 section 4.5.1), and
`postmaster` and `MAILER-DAEMON` at our own hostname, goes to the configured postmaster. If none is configured, only
the first is accepted, for the postmaster of the source's public domain. No other address exists at the hostname, so
replies to delivery reports never loop between systems that relay unknown recipients to the gateway.

A system with `recipients: mapped` has only the people of the map, and a postmaster in each of its domains (RFC 5321
section 4.5.1). That is for recipients in our domains: mail for any other passes through such a system as before.

Our systems trust the gateway, so no recipient in mail from the Internet may make one of them relay either:
`user%partner.example`, `"user@partner.example"` or `partner.example!user` at a domain of ours, or an IMCEASMTP that
only Exchange can read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from shared.configuration.systems import System
from shared.errors import MalformedAddress
from shared.mail.address import Address, domain_key, unquote
from shared.routing.address_map import AddressMap
from shared.routing.recognize import Recognized, recognize
from shared.routing.rewrite import internal, public
from shared.routing.topology import Topology

_POSTMASTER = "postmaster"
_OWN_MAILBOXES = frozenset({_POSTMASTER, "mailer-daemon"})


@dataclass(frozen=True, slots=True)
class Gateway:
    """Names of the gateway itself. hostnames: in lower case. postmaster: the recipient of mail to it, or None."""

    hostnames: frozenset[str] = frozenset()
    postmaster: str | None = None


NAMELESS = Gateway()


@dataclass(frozen=True, slots=True)
class Route:
    """The route of one recipient.

    system: the destination's name. address: the one for RCPT TO. public: the public address. why: the rules that
    applied, one line each. unknown: why the destination has no such recipient, "" if it may have it: ingress refuses an
    unknown recipient, but mail accepted earlier is delivered.
    """

    system: str
    address: str
    public: str
    why: tuple[str, ...] = ()
    unknown: str = ""


@dataclass(frozen=True, slots=True)
class NoRoute:
    """The recipient is refused. reason: one line for the log, which the client never sees.

    is_unknown: the domain is local and the address does not exist (550 5.1.1); otherwise relaying is denied (5.7.1).
    """

    reason: str
    why: tuple[str, ...] = ()
    is_unknown: bool = False


def route(
    recipient: str, source: str, topology: Topology, address_map: AddressMap, gateway: Gateway = NAMELESS
) -> Route | NoRoute:
    """Return the route of a recipient of a message from the system `source`."""
    sender = topology.systems.get(source)
    if sender is None:
        return NoRoute(f'unknown system "{source}"')
    found = recognize(recipient, topology, address_map)
    rules = found.why
    if _is_for_gateway(found, recipient, topology, gateway):
        postmaster = _postmaster(recipient, sender, gateway)
        if postmaster is None:
            return NoRoute(f"{recipient} is not a mailbox of the gateway (a postmaster may be configured)", rules, True)
        found = recognize(postmaster, topology, address_map)
        rules = (*rules, f"the gateway's postmaster is {postmaster}", *found.why)
    system, why = _destination(found, sender, topology)
    if system is None:
        return NoRoute(why, rules)
    address = internal(found, system, topology, address_map)
    try:
        Address.parse(address)
    except MalformedAddress as fault:
        return NoRoute(str(fault), (*rules, why))
    shown = public(found, topology, address_map)
    return Route(system.name, address, shown, (*rules, why), _why_unknown(found, system, topology))


def _is_for_gateway(found: Recognized, recipient: str, topology: Topology, gateway: Gateway) -> bool:
    if recipient.lower() == _POSTMASTER:
        return True
    return domain_key(found.domain) in gateway.hostnames and not found.pair and not topology.is_listed(found.domain)


def _postmaster(recipient: str, sender: System, gateway: Gateway) -> str | None:
    """Return the recipient of mail to the gateway itself, or None."""
    local, at, _ = recipient.rpartition("@")
    if at:
        return gateway.postmaster if unquote(local).lower() in _OWN_MAILBOXES else None
    return gateway.postmaster or (f"{recipient}@{sender.public_domain}" if sender.public_domain else None)


def _why_unknown(found: Recognized, system: System, topology: Topology) -> str:
    if system.recipients == "any" or found.pair or unquote(found.local).lower() == _POSTMASTER:
        return ""
    if not found.name and not topology.is_ours(found.domain):
        return ""
    return f"{system.name} accepts mapped recipients only, and {found.address} is not in the address map"


def _leads_out(found: Recognized, topology: Topology) -> bool:
    """Whether the local part asks the destination to relay to a domain that is not ours."""
    local = unquote(found.local).rstrip(". ")
    if found.pair or found.name:
        return False
    *before, last = re.split("[@%]", local)
    first, _, rest = local.partition("!")
    onward = [last] if before else [first] if rest else []
    leaves = any("." in domain and not topology.is_ours(domain) for domain in onward)
    return leaves or local.upper().startswith(("IMCEASMTP-", "IMCEAINVALID-", "IMCEAMAILTO-"))


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
