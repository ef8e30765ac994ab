"""The router: destination, public form and internal form of an address.

A `Router` is a value: the systems and one version of the address map. `CurrentRouter` returns the latest one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from shared.configuration.settings import Settings
from shared.configuration.systems import System
from shared.mail.address import domain_key
from shared.routing import rewrite
from shared.routing.address_map import AddressMap
from shared.routing.address_map_file import AddressMapFile
from shared.routing.embedded import Embedded, internal_addresses, public_text
from shared.routing.recognize import Recognized, recognize
from shared.routing.route import NAMELESS, Gateway, NoRoute, Route, route
from shared.routing.topology import Topology

Answer = TypeVar("Answer")

ANSWERS_KEPT = 8192
"""Cache entries per method. Senders repeat, and an address is looked up several times for one message."""
LONGEST_KEPT = 320
"""Characters: what an address can have by RFC 5321 section 4.5.3.1. Longer texts are not cached."""


def _cached(answer: Callable[..., Answer]) -> Callable[..., Answer]:
    """Return the function, whose first argument is a text, with a cache of its latest answers."""
    cached = lru_cache(ANSWERS_KEPT)(answer)

    def ask(text: str, *more: str) -> Answer:
        return cached(text, *more) if len(text) <= LONGEST_KEPT else answer(text, *more)

    return ask


class Router:
    """Routes and rewrites addresses. Never changes; every method is pure and accepts any text."""

    def __init__(
        self, systems: Sequence[System], address_map: AddressMap | None = None, gateway: Gateway = NAMELESS
    ) -> None:
        self.topology = Topology(systems)
        self.address_map = address_map or AddressMap()
        self.gateway = gateway
        self._organisations = self.topology.organisations | self.address_map.organisations
        self._route = _cached(self._find_route)
        self._public = _cached(self._make_public)
        self._public_name = _cached(self._make_public_name)

    def recognize(self, address: str) -> Recognized:
        """Return what an address is, encapsulations undone."""
        return recognize(address, self.topology, self.address_map)

    def route(self, recipient: str, source: str) -> Route | NoRoute:
        """Return the route of a recipient of a message from the system named `source`."""
        return self._route(recipient, source)

    def public(self, address: str) -> str:
        """Return the public address; unknown addresses and the null sender `""` as they are."""
        return self._public(address)

    def public_sender(self, sender: str | None) -> str | None:
        """Return the public envelope sender; the null sender stays null."""
        return self.public(sender) if sender else sender

    def internal(self, address: str, system: str) -> str:
        """Return the address as the system of that name accepts it. Raises KeyError for an unknown system."""
        destination = self.topology.systems[system]
        return rewrite.internal(self.recognize(address), destination, self.topology, self.address_map)

    def public_name(self, display_name: str) -> str:
        """Return a display name as people write it: `John Doe/Sales/Acme` and `CN=John Doe/O=Acme` are `John Doe`.

        Internal addresses inside it become public.
        """
        return self._public_name(display_name)

    def public_text(self, text: str) -> str:
        """Return any text with the internal addresses in it made public; see `shared.routing.embedded`."""
        return public_text(text, self.topology, self.address_map)

    def internal_addresses(self, text: str) -> Iterator[Embedded]:
        """Yield the positions of internal addresses in any text, in order, with their public replacements."""
        return internal_addresses(text, self.topology, self.address_map)

    def is_internal(self, address: str) -> bool:
        """Whether the address reveals internal names: whether `public` changes it."""
        return self.public(address) != address

    def _find_route(self, recipient: str, source: str) -> Route | NoRoute:
        return route(recipient, source, self.topology, self.address_map, self.gateway)

    def _make_public(self, address: str) -> str:
        return rewrite.public(self.recognize(address), self.topology, self.address_map)

    def _make_public_name(self, display_name: str) -> str:
        name = rewrite.public_name(display_name, self.topology, self.address_map, self._organisations)
        return self.public_text(name)


class CurrentRouter:
    """The router over the latest valid version of the address map. Raises ConfigurationError if there is none yet."""

    def __init__(
        self,
        systems: Sequence[System],
        map: Path | None = None,
        *,
        max_shrink: float = 0.1,
        gateway: Gateway = NAMELESS,
    ) -> None:
        self._systems = tuple(systems)
        self._gateway = gateway
        self._file = AddressMapFile(map, max_shrink) if map else None
        self._router = Router(self._systems, self._file.current() if self._file else None, gateway)

    @classmethod
    def configured(cls, settings: Settings) -> CurrentRouter:
        """Return the router of a configuration."""
        addresses = settings.addresses
        return cls(
            settings.systems, addresses.map, max_shrink=addresses.max_shrink, gateway=configured_gateway(settings)
        )

    def current(self) -> Router:
        """Return the router; a new one only after the map changed. One stat(2) per call."""
        return self._over(self._file.current() if self._file else None)

    def reload(self) -> Router:
        """Return the router over the map as the file is now, however many pairs it lacks (`addresses.max_shrink`)."""
        return self._over(self._file.reload() if self._file else None)

    def _over(self, address_map: AddressMap | None) -> Router:
        if address_map is not None and address_map is not self._router.address_map:
            self._router = Router(self._systems, address_map, self._gateway)
        return self._router


def configured_gateway(settings: Settings) -> Gateway:
    """Return the names of the gateway from its configuration."""
    names = {settings.hostname, settings.ingress.hostname or settings.hostname}
    return Gateway(frozenset(map(domain_key, names)), settings.postmaster)
