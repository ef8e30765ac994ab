"""The public form of an address, and the form that its own system accepts. Pure.

`public` undoes what `internal` does, for every row of the map.
"""

from __future__ import annotations

from shared.configuration.systems import System
from shared.mail.address import address_key, quote
from shared.routing.address_map import AddressMap, Pair
from shared.routing.notes_address import NotesName
from shared.routing.recognize import Recognized, recognize
from shared.routing.topology import Topology


def public(found: Recognized, topology: Topology, address_map: AddressMap) -> str:
    """Return the address to show: the map's, a Notes name encoded at its system's public domain, the public domain."""
    if found.pair:
        return found.address if _is_public(found.address, found.pair) else found.pair.public
    if found.name and found.owner:
        return _public_name_address(found, found.name, found.owner, topology)
    shown = topology.public_domain(found.domain)
    if not shown or not found.local:
        return found.address
    address = f"{found.local}@{shown}"
    pair = address_map.find(address)
    return pair.public if pair else address


def _is_public(address: str, pair: Pair) -> bool:
    return address_key(address) == address_key(pair.public)


def _public_name_address(found: Recognized, name: NotesName, owner: System, topology: Topology) -> str:
    at_public = topology.is_public(found.domain)
    if at_public and not found.local.upper().startswith("IMCEA"):
        return found.address
    domain = owner.public_domain or (found.domain if at_public else topology.own_domain(owner))
    return f"{name.encode()}@{domain}" if domain else found.address


def internal(found: Recognized, system: System, topology: Topology, address_map: AddressMap) -> str:
    """Return the address as `system` accepts it; any other address in its public form."""
    if found.pair and found.owner is system:
        return _enveloped_pair(found.pair, system, topology, address_map)
    if found.name and found.owner is system:
        domain = system.envelope_domain or topology.own_domain(system)
        local = quote(found.name.domino) if found.name.domino.isascii() else found.name.encode()
        return f"{local}@{domain}" if domain else found.address
    is_home = topology.owner(found.domain) is system and not found.pair
    address = found.address if is_home else public(found, topology, address_map)
    local, _, domain = address.rpartition("@")
    if system.envelope_domain and (topology.owner(domain) is system or system in topology.sharers(domain)):
        return f"{local}@{system.envelope_domain}"
    return address


def _enveloped_pair(pair: Pair, system: System, topology: Topology, address_map: AddressMap) -> str:
    """Return a mapped address in the envelope domain, but only if that still maps to its row."""
    enveloped = f"{pair.internal.rpartition('@')[0]}@{system.envelope_domain}"
    if system.envelope_domain and recognize(enveloped, topology, address_map).pair == pair:
        return enveloped
    return pair.internal


def public_name(display_name: str, topology: Topology, address_map: AddressMap, organisations: frozenset[str]) -> str:
    """Return the common name of a Notes name; any other display name unchanged.

    A canonical name is plain. An abbreviated one, `John Doe/Sales/Acme`, is one only if the map has it or it ends in an
    organisation or Notes domain we know (before a country, where it has one): names with a slash in them are common.
    An internal address used as a display name becomes the public address.
    """
    text = display_name.strip()
    name = NotesName.parse(text)
    if name is None or not _is_ours(name, topology):
        return _public_address(display_name, topology, address_map)
    if "CN" in name.types:
        return name.common_name
    endings = name.parts[-1:] if len(name.parts[-1]) != 2 else name.parts[-2:]
    known = name.notes_domain or address_map.by_name(name) or any(part.lower() in organisations for part in endings)
    return name.common_name if known and len(name.parts) > 1 else display_name


def _is_ours(name: NotesName, topology: Topology) -> bool:
    return name.notes_domain is None or topology.notes_owner(name.notes_domain) is not None


def _public_address(display_name: str, topology: Topology, address_map: AddressMap) -> str:
    bare = display_name.strip().strip("'")
    found = recognize(bare, topology, address_map)
    if not bare or "@" not in bare or (found.owner is None and not found.pair and found.address == bare):
        return display_name
    shown = public(found, topology, address_map)
    return display_name if shown == bare else display_name.replace(bare, shown, 1)
