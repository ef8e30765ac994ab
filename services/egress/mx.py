"""From the configured smart hosts to hosts to connect to: MX records, cached for their TTL, beside static entries.

RFC 5321 section 5.1: without MX records the name itself is the host. RFC 7505: a domain with a null MX accepts no mail.
A failing DNS is temporary; while it fails, the last answer is used. A record that names no host (an address, a blank)
is ignored.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass

import dns.asyncresolver
import dns.exception
import dns.name
import dns.resolver
from dns.rdtypes.ANY.MX import MX

from services.egress.balance import Host
from shared.configuration.smart_hosts import SmartHost
from shared.mail.reply import Reply

NULL_MX = Reply(556, "domain does not accept mail (null MX)", "5.1.10")
NO_ANSWER = Reply(451, "DNS server did not respond", "4.4.3")
NO_SUCH_NAME = Reply(451, "domain does not exist (NXDOMAIN)", "4.4.4")
"""Temporary, as everything about a name that we configured: senders can do nothing about it."""
NO_RECORDS = Reply(451, "domain has neither MX records nor an address", "4.4.4")
NO_VALID_HOST = Reply(451, "MX records name no valid host", "4.4.4")
NO_HOST = Reply(451, "no smart host found", "4.4.4")

_HOST_NAME = re.compile(r"(?=.{1,253}$)(?![\d.]+$)(?:(?!-)[a-z0-9_-]{1,63}(?<!-)(?:\.|$))+", re.ASCII)

LIFETIME_SECONDS = 10.0
"""For one look-up, over all name servers."""
SHORTEST_TTL_SECONDS = 5.0
"""So that an answer with TTL 0 is not asked for with every message."""
FAILURE_TTL_SECONDS = 5.0


@dataclass(frozen=True, slots=True, order=True)
class Exchange:
    """One MX record, or the name itself where there is none. An empty name is the null MX."""

    preference: int
    name: str


@dataclass(frozen=True, slots=True)
class _Answer:
    """failure: why there are no exchanges, where there are none."""

    exchanges: tuple[Exchange, ...]
    good_until: float
    failure: Reply = NO_ANSWER


class Resolver:
    """Resolves the smart hosts of a system."""

    def __init__(self, resolver: dns.asyncresolver.Resolver | None = None) -> None:
        self._resolver = resolver
        self._answers: dict[str, _Answer] = {}
        self._asking: dict[str, asyncio.Task[_Answer | Reply]] = {}

    async def hosts(self, smart_hosts: Sequence[SmartHost]) -> tuple[Host, ...] | Reply:
        """Return every host with its preference; or why there is none: permanent only where all is null MX.

        An entry that cannot be resolved is left out while another can.
        """
        found: list[Host] = []
        failures: list[Reply] = []
        for entry in smart_hosts:
            if entry.host is not None:
                found.append(Host(entry.host.lower(), entry.port, entry.preference, entry.weight, entry))
                continue
            exchanges = await self.exchanges(entry.mx or "")
            if isinstance(exchanges, Reply):
                failures.append(exchanges)
            elif not any(exchange.name for exchange in exchanges):
                failures.append(NULL_MX)
            else:
                named = [exchange for exchange in exchanges if _HOST_NAME.fullmatch(exchange.name)]
                found += [Host(mx.name, entry.port, mx.preference, entry.weight, entry) for mx in named]
                failures += [] if named else [NO_VALID_HOST]
        if found:
            return tuple(found)
        return next((reply for reply in failures if not reply.is_permanent), failures[0] if failures else NO_HOST)

    async def exchanges(self, name: str) -> tuple[Exchange, ...] | Reply:
        """Return where mail for a name goes, from the cache while it is good; a Reply says why that is unknown."""
        known = self._answers.get(name)
        if known and time.monotonic() < known.good_until:
            return known.exchanges or known.failure
        if name not in self._asking:  # one query, however many messages wait for its answer
            self._asking[name] = asyncio.create_task(self._ask(name))
            self._asking[name].add_done_callback(lambda _: self._asking.pop(name))
        answer = await asyncio.shield(self._asking[name])
        if isinstance(answer, Reply):  # the last good answer, or its absence, is used a while longer
            answer = _Answer(known.exchanges if known else (), time.monotonic() + FAILURE_TTL_SECONDS, answer)
        self._answers[name] = answer
        return answer.exchanges or answer.failure

    async def _ask(self, name: str) -> _Answer | Reply:
        try:
            if self._resolver is None:
                self._resolver = dns.asyncresolver.Resolver()
            try:
                answer = await self._resolver.resolve(name, "MX", lifetime=LIFETIME_SECONDS, search=False)
            except dns.resolver.NoAnswer:
                return await self._ask_for_addresses(name)
        except dns.resolver.NXDOMAIN:
            return NO_SUCH_NAME
        except (dns.exception.DNSException, OSError):
            return NO_ANSWER
        ttl = max(answer.ttl, SHORTEST_TTL_SECONDS)
        exchanges = sorted(Exchange(record.preference, _text(record)) for record in answer if isinstance(record, MX))
        return _Answer(tuple(exchanges), time.monotonic() + ttl)

    async def _ask_for_addresses(self, name: str) -> _Answer | Reply:
        """Return the name itself as its exchange where it has an address."""
        assert self._resolver
        for kind in ("A", "AAAA"):
            try:
                answer = await self._resolver.resolve(name, kind, lifetime=LIFETIME_SECONDS, search=False)
            except dns.resolver.NoAnswer:
                continue
            ttl = max(answer.ttl, SHORTEST_TTL_SECONDS)
            return _Answer((Exchange(0, name.lower()),), time.monotonic() + ttl)
        return NO_RECORDS


def _text(record: MX) -> str:
    return record.exchange.to_text(omit_final_dot=True).lower() if record.exchange != dns.name.root else ""
