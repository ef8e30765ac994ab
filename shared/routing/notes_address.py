"""Names of Notes users, in every form that leaves a Domino server.

    John Doe/Sales/Acme@ACME                    abbreviated, at a Notes domain
    CN=John Doe/OU=Sales/O=Acme@ACME            canonical
    John Doe@Sub@ACME                           by way of Notes domains, the next hop last
    John_Doe/Sales/Acme%ACME@example.com        as Domino writes it for the Internet: blank -> _, @ -> %

The last form cannot represent a name with `_`, `%` or a character that is invalid in an atom. `encode` writes such a
name as Exchange does (`IMCEANOTES-…`), so that every name can be decoded again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from shared.mail.address import ATEXT
from shared.routing import imcea

MAX_PARTS = 16  # Notes itself allows a common name, four units, an organisation and a country
_TYPED = re.compile(r"(CN|OU[1-4]?|O|C|G|I|S|Q|A|P)\s*=\s*(.+)", re.IGNORECASE)
_CARRIED = re.compile(rf"[{ATEXT}. ]+")  # ASCII only: an encoded name passes where SMTPUTF8 does not
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class NotesName:
    """A Notes user or database.

    parts: common name first, organisation (or country) last. domains: Notes domains, the next hop last; empty where
    the name came without. types: CN, OU, O, C as a canonical name gave them, no part of the identity.
    """

    parts: tuple[str, ...]
    domains: tuple[str, ...] = ()
    types: tuple[str, ...] = field(default=(), compare=False)

    @classmethod
    def parse(cls, text: str) -> NotesName | None:
        """Read an abbreviated or canonical name with or without Notes domains; None if it cannot be one."""
        name, *domains = (piece.strip() for piece in text.split("@"))
        written = [part.strip() for part in name.split("/")]
        if _UNSAFE.search(text) or not all([*written, *domains]) or len(written) > MAX_PARTS:
            return None
        typed = [_TYPED.fullmatch(part) for part in written]
        if not all(typed):
            return cls(tuple(written), tuple(domains))
        values = [found[2] for found in typed if found]
        if any(_TYPED.fullmatch(value) for value in values):
            return None
        return cls(tuple(values), tuple(domains), tuple(found[1].upper() for found in typed if found))

    @classmethod
    def decode(cls, local: str) -> NotesName | None:
        """Read the local part (unquoted) that Domino writes for the Internet; None if it has neither `/` nor `%`."""
        if "/" not in local and "%" not in local:
            return None
        name, *domains = re.split("[%@]", local)
        return cls.parse("@".join([name.replace("_", " "), *domains]))

    def encode(self) -> str:
        """Return a valid local part that `decode` (or `imcea.decode`) turns back into this name."""
        local = self.domino
        atoms = _CARRIED.fullmatch(self.abbreviated) and all(_CARRIED.fullmatch(domain) for domain in self.domains)
        carried = atoms and "_" not in self.abbreviated and " " not in "".join(self.domains)
        dotted = local.startswith(".") or local.endswith(".") or ".." in local  # no dot-string, RFC 5321 section 4.1.2
        if carried and not dotted and self.decode(local) == self:
            return local
        return imcea.encode(imcea.Encapsulated("NOTES", str(self)))

    @property
    def abbreviated(self) -> str:
        """`John Doe/Sales/Acme`."""
        return "/".join(self.parts)

    @property
    def canonical(self) -> str:
        """`CN=John Doe/OU=Sales/O=Acme`. Without known types the last part counts as the organisation."""
        last = ("CN", *("OU" for _ in self.parts[2:]), "O") if len(self.parts) > 1 else ("CN",)
        return "/".join(f"{kind}={part}" for kind, part in zip(self.types or last, self.parts, strict=True))

    @property
    def domino(self) -> str:
        """The local part in Domino's form: `John_Doe/Sales/Acme%ACME`; `_` is a blank or itself."""
        return "%".join([self.abbreviated.replace(" ", "_"), *self.domains])

    @property
    def common_name(self) -> str:
        """The common name: `John Doe`."""
        return self.parts[0]

    @property
    def notes_domain(self) -> str | None:
        """The Notes domain that the name is routed to."""
        return self.domains[-1] if self.domains else None

    @property
    def key(self) -> str:
        """The lookup key: the name without its domains, in lower case, `_` equal to blank."""
        return self.abbreviated.lower().replace("_", " ")

    def __str__(self) -> str:
        return "@".join([self.abbreviated, *self.domains])
