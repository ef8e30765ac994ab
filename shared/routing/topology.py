"""Which system owns what: Internet domains, Notes domains, public domains. Built once from `systems`, never changed."""

from __future__ import annotations

import re
from collections.abc import Iterable

from shared.configuration.systems import System
from shared.mail.address import domain_key


class Topology:
    """The systems, indexed by everything in an address that identifies them.

    A domain that any system shows to the public is never internal, whichever system lists it among its domains.
    internal_pattern: matches `@` and an internal or Notes domain in header text.
    """

    def __init__(self, systems: Iterable[System]) -> None:
        self.systems = {system.name: system for system in systems}
        self._public: dict[str, list[System]] = {}
        self._owner: dict[str, System] = {}
        self._notes_owner: dict[str, System] = {}
        for system in self.systems.values():
            if system.public_domain:
                self._public.setdefault(domain_key(system.public_domain), []).append(system)
            for domain in system.domains:
                self._owner.setdefault(domain_key(domain), system)
            for notes_domain in system.notes_domains:
                self._notes_owner.setdefault(domain_key(notes_domain), system)
        for system in self.systems.values():
            if system.envelope_domain and not self.is_public(system.envelope_domain):
                self._owner.setdefault(domain_key(system.envelope_domain), system)
        self.internal_pattern = self._internal_pattern()

    def owner(self, domain: str) -> System | None:
        """Return the home system of an Internet domain, its envelope domain included."""
        return self._owner.get(domain_key(domain))

    def notes_owner(self, notes_domain: str) -> System | None:
        """Return the home system of a Notes domain."""
        return self._notes_owner.get(domain_key(notes_domain))

    def sharers(self, domain: str) -> list[System]:
        """Return the systems that have this public domain."""
        return self._public.get(domain_key(domain), [])

    def is_public(self, domain: str) -> bool:
        """Whether it is the public domain of a system."""
        return domain_key(domain) in self._public

    def is_ours(self, domain: str) -> bool:
        """Whether mail for this Internet domain is accepted from any sender."""
        return self.is_public(domain) or self.owner(domain) is not None

    def public_domain(self, domain: str) -> str | None:
        """Return the public domain that replaces this one, None where it is public itself or not ours."""
        system = self.owner(domain)
        return system.public_domain if system and not self.is_public(domain) else None

    def _internal_pattern(self) -> re.Pattern[bytes]:
        """Match `@` and an internal domain in header text."""
        owners = [*self._owner.items(), *self._notes_owner.items()]
        hidden = sorted(re.escape(domain) for domain, system in owners if self._hides(domain, system))
        ending = rb"(?![\w-]|\.\w)"
        return re.compile(
            rb"@[ \t\r\n]*+(?:" + "|".join(hidden).encode() + rb")" + ending if hidden else rb"(?!)", re.IGNORECASE
        )

    def _hides(self, domain: str, system: System) -> bool:
        return system.public_domain is not None and not self.is_public(domain)

    @property
    def organisations(self) -> frozenset[str]:
        """The Notes domains in lower case: by custom also the organisations that Notes names end in."""
        return frozenset(self._notes_owner)

    @property
    def internal_domains(self) -> list[str]:
        """The Internet domains that must not be seen outside."""
        return [domain for domain, system in self._owner.items() if self._hides(domain, system)]
