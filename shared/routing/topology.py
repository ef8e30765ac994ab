"""Which system owns which Internet, Notes and public domains. Built once from `systems`, never changed."""

from __future__ import annotations

import re
from collections.abc import Iterable

from shared.configuration.systems import System
from shared.mail.address import domain_key

_HOSTS = "*."
"""Before a domain, it stands for every host below it."""
_ENDING = rb"(?![\w-]|\.\w)"


class Topology:
    """The systems, indexed by everything in an address that identifies them.

    A domain that any system shows to the public is never internal, whichever system lists it among its domains. A
    domain that is listed wins over `*.` above it, and the longer of two such domains over the shorter.
    internal_pattern: matches `@` and an internal or Notes domain in header text. internal_text_pattern: the same in a
    str, where `%40` may stand for `@`, as in a URI.
    """

    def __init__(self, systems: Iterable[System]) -> None:
        self.systems = {system.name: system for system in systems}
        self._public: dict[str, list[System]] = {}
        self._owner: dict[str, System] = {}
        self._owner_of_hosts: dict[str, System] = {}
        self._notes_owner: dict[str, System] = {}
        for system in self.systems.values():
            if system.public_domain:
                self._public.setdefault(domain_key(system.public_domain), []).append(system)
            for domain in system.domains:
                owners = self._owner_of_hosts if domain.startswith(_HOSTS) else self._owner
                owners.setdefault(domain_key(domain.removeprefix(_HOSTS)), system)
            for notes_domain in system.notes_domains:
                self._notes_owner.setdefault(domain_key(notes_domain), system)
        for system in self.systems.values():
            if system.envelope_domain and not self.is_public(system.envelope_domain):
                self._owner.setdefault(domain_key(system.envelope_domain), system)
        self.internal_pattern = self._internal_pattern()
        text_pattern = self.internal_pattern.pattern.decode().replace("@", "(?:@|%40)", 1)
        self.internal_text_pattern = re.compile(text_pattern, re.IGNORECASE | re.ASCII)

    def owner(self, domain: str) -> System | None:
        """Return the home system of an Internet domain, its envelope domain included."""
        key = domain_key(domain)
        above = self._above(key)
        return self._owner.get(key) or (self._owner_of_hosts[above] if above else None)

    def domain_above(self, host: str) -> str | None:
        """Return the domain whose hosts a system lists as `*.domain`, if this is one of them; else None."""
        return self._above(domain_key(host))

    def notes_owner(self, notes_domain: str) -> System | None:
        """Return the home system of a Notes domain."""
        return self._notes_owner.get(domain_key(notes_domain))

    def sharers(self, domain: str) -> list[System]:
        """Return the systems that have this public domain."""
        return self._public.get(domain_key(domain), [])

    def is_public(self, domain: str) -> bool:
        """Whether it is the public domain of a system."""
        return domain_key(domain) in self._public

    def is_listed(self, domain: str) -> bool:
        """Whether a system names this domain itself, as one of its own or as its public one."""
        return self.is_public(domain) or domain_key(domain) in self._owner

    def is_ours(self, domain: str) -> bool:
        """Whether mail for this Internet domain is accepted from any sender."""
        return self.is_public(domain) or self.owner(domain) is not None

    def public_domain(self, domain: str) -> str | None:
        """Return the public domain that replaces this one, None if it is public itself or unknown."""
        system = self.owner(domain)
        return system.public_domain if system and not self.is_public(domain) else None

    def own_domain(self, system: System) -> str | None:
        """Return the domain to address a system's people in: its first one, else the public one; never `*.`."""
        named = [domain for domain in system.domains if not domain.startswith(_HOSTS)]
        return next((domain for domain in named if not domain.startswith("[")), None) or next(
            iter(named), system.public_domain
        )

    def _above(self, key: str) -> str | None:
        if not self._owner_of_hosts or key in self._owner or key in self._public:
            return None
        _, dot, above = key.partition(".")
        while dot and above not in self._owner_of_hosts:
            _, dot, above = above.partition(".")
        return above or None

    def _internal_pattern(self) -> re.Pattern[bytes]:
        """Match `@` and an internal domain, in header text."""
        named = {**self._notes_owner, **self._owner}
        hidden = [re.escape(domain) for domain, system in named.items() if self._hides(domain, system)]
        hosts = [re.escape(domain) for domain, system in self._owner_of_hosts.items() if system.public_domain]
        if not hidden and not hosts:
            return re.compile(rb"(?!)")
        shown = [re.escape(domain) for domain in {**self._public, **self._owner} if not self._is_hidden(domain)]
        below = [rf"(?:[\w-]++\.)+(?:{'|'.join(sorted(hosts))})"] if hosts else []
        unless = rb"(?!(?:%s)%s)" % ("|".join(sorted(shown)).encode(), _ENDING) if hosts and shown else b""
        any_hidden = "|".join([*sorted(hidden), *below]).encode()
        return re.compile(rb"@[ \t\r\n]*+%s(?:%s)%s" % (unless, any_hidden, _ENDING), re.IGNORECASE)

    def _is_hidden(self, domain: str) -> bool:
        return domain in self._owner and self._hides(domain, self._owner[domain])

    def _hides(self, domain: str, system: System) -> bool:
        return system.public_domain is not None and not self.is_public(domain)

    @property
    def organisations(self) -> frozenset[str]:
        """The Notes domains in lower case: by custom also the organisations that Notes names end in."""
        return frozenset(self._notes_owner)

    @property
    def internal_domains(self) -> list[str]:
        """The internal Internet domains, except `*.` patterns, which must never be public."""
        return [domain for domain, system in self._owner.items() if self._hides(domain, system)]
