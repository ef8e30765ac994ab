"""What an address is: a row of the map, a Notes name, or an Internet address, once every encapsulation is undone. Pure.

Encapsulations are undone only at a domain of a configured system, or at one of its Notes domains.
`John_Smith%Acme@partner.example` belongs to the partner, whatever its meaning there.
"""

from __future__ import annotations

from dataclasses import dataclass

from shared.configuration.systems import System
from shared.mail.address import MAX_OCTETS, Address, quote, unquote
from shared.routing import imcea
from shared.routing.address_map import AddressMap, Pair
from shared.routing.notes_address import NotesName
from shared.routing.topology import Topology

_SMTP = "smtp"
"""Notes' route to the Internet, written like a Notes domain: `joe@partner.example@smtp@ACME`."""


@dataclass(frozen=True, slots=True)
class Recognized:
    """The meaning of an address.

    address: as written, encapsulations undone. pair: its row of the map. name: the Notes name it means, without a row.
    owner: its home system, None where only its public domain or nothing of it is ours. why: one line for
    each rule that was used.
    """

    address: str
    pair: Pair | None = None
    name: NotesName | None = None
    owner: System | None = None
    why: tuple[str, ...] = ()

    @property
    def local(self) -> str:
        """The local part as written, quotes included."""
        return self.address.rpartition("@")[0]

    @property
    def domain(self) -> str:
        """The domain as written; the whole text where there is no @."""
        return self.address.rpartition("@")[2]


def recognize(text: str, topology: Topology, address_map: AddressMap) -> Recognized:
    """Return what an address is. Any text is accepted; without a matching rule it is unchanged and has no owner."""
    why: tuple[str, ...] = ()
    while True:  # each turn undoes one encapsulation, so the text gets shorter
        if pair := _pair(text, topology, address_map):
            return Recognized(text, pair, owner=pair_owner(pair, topology), why=(*why, f"map: line {pair.line}"))
        name = _name(text, topology)
        if name and (pair := address_map.by_name(name)):
            found = f"map: Notes name {name} is in line {pair.line}"
            return Recognized(text, pair, owner=pair_owner(pair, topology), why=(*why, found))
        inner = _encapsulated(text, topology) or _forwarding(text, topology)
        if inner is None:
            break
        text, why = inner[0], (*why, inner[1])
    if name and name.notes_domain and (owner := topology.notes_owner(name.notes_domain)):
        return Recognized(
            text, name=name, owner=owner, why=(*why, f"Notes domain {name.notes_domain} belongs to {owner.name}")
        )
    domain = text.rpartition("@")[2] if "@" in text else ""
    if owner := _legacy_owner(text, topology):
        return Recognized(text, owner=owner, why=(*why, f"IMCEAEX: {owner.name} is the only Exchange behind {domain}"))
    if domain and (owner := topology.owner(domain)):
        return Recognized(text, owner=owner, why=(*why, f"domain {domain} belongs to {owner.name}"))
    return Recognized(text, why=why)


def pair_owner(pair: Pair, topology: Topology) -> System | None:
    """Return the system a row of the map belongs to: by the internal address, the Notes domain, the public domain."""
    domain = pair.internal.rpartition("@")[2]
    owner = topology.owner(domain) or topology.notes_owner(domain)
    if owner is None and pair.name and pair.name.notes_domain:
        owner = topology.notes_owner(pair.name.notes_domain)
    sharers = topology.sharers(domain)
    return owner or (sharers[0] if len(sharers) == 1 else None)


def _pair(text: str, topology: Topology, address_map: AddressMap) -> Pair | None:
    """Return the row of an address; at a host below a domain, also the row of the same user at the domain itself."""
    pair = address_map.find(text)
    local, at, domain = text.rpartition("@")
    owner = topology.owner(domain) if at else None
    if pair or owner is None:
        return pair
    above = topology.domain_above(domain)
    siblings = [*([above] if above and topology.owner(above) is owner else ())]
    siblings += owner.domains if owner.envelope_domain else ()
    rows = (address_map.by_internal(f"{local}@{sibling}") for sibling in siblings)
    return next((found for found in rows if found), None)


def _notes_text(text: str, topology: Topology) -> str | None:
    """Return the Notes address that a text is or wraps, @ before each Notes domain; a blank may still be `_`."""
    local, at, domain = text.rpartition("@")
    plain = unquote(local)
    if len(text) > MAX_OCTETS:
        return None
    if not at:
        return text
    if not topology.is_ours(domain):
        return f"{plain}@{domain}" if topology.notes_owner(domain) or "." not in domain else None
    wrapped = imcea.decode(plain)
    if wrapped:
        return wrapped.address if wrapped.scheme in ("NOTES", "INVALID") else None
    return plain.replace("%", "@") if any(sign in plain for sign in "/%@") else None


def _name(text: str, topology: Topology) -> NotesName | None:
    """Return the Notes name in any form that is ours; one without a Notes domain is only known to the map."""
    written = _notes_text(text, topology)
    if written is None:
        return None
    local, at, domain = text.rpartition("@")
    plain = unquote(local)
    domino = at and topology.is_ours(domain) and imcea.decode(plain) is None
    name = NotesName.decode(plain) if domino else NotesName.parse(written)
    known = name is not None and (name.notes_domain is None or topology.notes_owner(name.notes_domain) is not None)
    return name if known else None


def _forwarding(text: str, topology: Topology) -> tuple[str, str] | None:
    """Undo `user@exchange.example.com@CausewayDom@ACME`: an Internet address, and a Notes domain for each hop.

    Notes appends a domain at each hop, so the last one was passed first; `%` stands for @ where Domino wrote it for the
    Internet. At a domain of a configured system the outermost Notes domain must be configured too, or `smtp`:
    `100%@x` and `a%b.example%c` are plain local parts. Without a Notes domain, only an internal domain is undone.
    """
    user, domain, passed = _without_notes_domains(_notes_text(text, topology) or "", topology)
    if not user and passed and "%" in domain:
        user, domain, more = _without_notes_domains(domain.replace("%", "@"), topology)
        passed += more
    if not user or not ("." in domain or topology.is_ours(domain)):
        return None
    if topology.is_ours(text.rpartition("@")[2]) and not _may_be_undone(domain, passed, topology):
        return None
    address = f"{quote(unquote(user))}@{domain}"
    where = f" inside Notes domain {', '.join(reversed(passed))}" if passed else " in the local part"
    return (address, f"forwarding address: {address}{where}") if Address.is_valid(address) else None


def _without_notes_domains(text: str, topology: Topology) -> tuple[str, str, list[str]]:
    """Return user, Internet domain and the Notes domains after it, the last first; no user where none is left."""
    passed: list[str] = []
    user, at, domain = text.rpartition("@")
    while at and domain and _is_notes_domain(domain, topology):
        passed.append(domain)
        user, at, domain = user.rpartition("@")
    return user, domain, passed


def _is_notes_domain(domain: str, topology: Topology) -> bool:
    if topology.is_ours(domain) or domain.startswith("["):
        return False
    return "." not in domain or topology.notes_owner(domain) is not None


def _may_be_undone(domain: str, passed: list[str], topology: Topology) -> bool:
    if not passed:
        return topology.public_domain(domain) is not None
    return topology.notes_owner(passed[0]) is not None or passed[0].lower() == _SMTP


def _encapsulated(text: str, topology: Topology) -> tuple[str, str] | None:
    """Undo IMCEASMTP, IMCEAINVALID and IMCEAMAILTO: an Internet address that Exchange wrapped."""
    local, _, domain = text.rpartition("@")
    wrapped = imcea.decode(unquote(local)) if topology.is_ours(domain) and len(text) <= MAX_OCTETS else None
    if wrapped and (address := wrapped.internet_address):
        return address, f"IMCEA{wrapped.scheme}: {address} inside"
    return None


def _legacy_owner(text: str, topology: Topology) -> System | None:
    """Return the one Exchange behind a domain not its own, for IMCEAEX, which Exchange alone can read."""
    local, _, domain = text.rpartition("@")
    owner = topology.owner(domain)
    public_domain = topology.public_domain(domain) or domain
    if (owner and owner.kind == "exchange") or not topology.is_public(public_domain):
        return None
    wrapped = imcea.decode(unquote(local))
    exchanges = [system for system in topology.sharers(public_domain) if system.kind == "exchange"]
    return exchanges[0] if wrapped and wrapped.scheme == "EX" and len(exchanges) == 1 else None
