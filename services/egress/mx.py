"""From the configured smart hosts to hosts to connect to: MX records, cached for their TTL, beside static entries.

RFC 5321 section 5.1: without MX records the name itself is the host. RFC 7505: a domain with a null MX accepts no mail.
A failing DNS is temporary; while it fails or hangs, the last answer is used. A record that names no host (an address, a
blank) is ignored.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import dns.name
from dns.rdtypes.ANY.MX import MX

from services.egress.answers import Answers, Found
from services.egress.balance import Host
from services.egress.dns_client import NO_ANSWER, DnsClient
from shared.configuration.smart_hosts import SmartHost
from shared.mail.reply import Reply

NULL_MX = Reply(556, "domain does not accept mail (null MX)", "5.1.10")
NO_RECORDS = Reply(451, "domain has neither MX records nor an address", "4.4.4")
NO_VALID_HOST = Reply(451, "MX records name no valid host", "4.4.4")
NO_HOST = Reply(451, "no smart host found", "4.4.4")

_HOST_NAME = re.compile(r"(?=.{1,253}$)(?![\d.]+$)(?:(?!-)[a-z0-9_-]{1,63}(?<!-)(?:\.|$))+", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Exchange:
    """One MX record, or the name itself where there is none. An empty name is the null MX."""

    preference: int
    name: str


@dataclass(frozen=True, slots=True)
class Exchanges:
    """The records of a name, best first, at least one. is_validated: DNSSEC has validated them."""

    records: tuple[Exchange, ...]
    is_validated: bool


class Resolver:
    """Resolves the smart hosts of a system."""

    def __init__(self, dns_client: DnsClient) -> None:
        self._dns = dns_client
        self._answers = Answers(self._ask)

    async def hosts(self, smart_hosts: Sequence[SmartHost]) -> tuple[Host, ...] | Reply:
        """Return every host with its preference; or why there is none: permanent only where all is null MX.

        An entry that cannot be resolved is left out while another can. Where a host is known, none waits for DNS longer
        than half a second.
        """
        names = [entry.mx for entry in smart_hosts if entry.mx]
        await self._answers.refresh(names, lambda: self._can_go_on(smart_hosts))
        found: list[Host] = []
        failures: list[Reply] = []
        for entry in smart_hosts:
            hosts = self._hosts_of(entry)
            if isinstance(hosts, Reply):
                failures.append(hosts)
            else:
                found += hosts
        if found:
            return tuple(found)
        return next((reply for reply in failures if not reply.is_permanent), failures[0] if failures else NO_HOST)

    def _can_go_on(self, smart_hosts: Sequence[SmartHost]) -> bool:
        """Return whether a host is known, or the last answer of every name."""
        if any(not isinstance(self._hosts_of(entry), Reply) for entry in smart_hosts):
            return True
        return all(self._answers.value(entry.mx or "") is not None for entry in smart_hosts)

    def _hosts_of(self, entry: SmartHost) -> Sequence[Host] | Reply:
        """Return the hosts of an entry by what is known now."""
        if entry.host is not None:
            return [Host(entry.host.lower(), entry.port, entry.preference, entry.weight, entry, is_secure=True)]
        name = entry.mx or ""
        known = self._answers.value(name)
        if known is None:
            return self._answers.failure(name) or NO_ANSWER
        if not any(exchange.name for exchange in known.records):
            return NULL_MX
        named = [exchange for exchange in known.records if _HOST_NAME.fullmatch(exchange.name)]
        return [
            Host(mx.name, entry.port, mx.preference, entry.weight, entry, is_secure=known.is_validated) for mx in named
        ] or NO_VALID_HOST

    async def _ask(self, name: str) -> Found[Exchanges] | Reply:
        response = await self._dns.ask(name, "MX")
        if isinstance(response, Reply):
            return response
        if not response.records:
            return await self._ask_for_addresses(name)
        exchanges = sorted(Exchange(mx.preference, _text(mx)) for mx in response.records if isinstance(mx, MX))
        return Found(Exchanges(tuple(exchanges), response.is_validated), response.ttl)

    async def _ask_for_addresses(self, name: str) -> Found[Exchanges] | Reply:
        """Return the name itself as its exchange where it has an address: a name that we configured, as a host is."""
        for kind in ("A", "AAAA"):
            response = await self._dns.ask(name, kind)
            if isinstance(response, Reply):
                return response
            if response.records:
                return Found(Exchanges((Exchange(0, name.lower()),), is_validated=True), response.ttl)
        return NO_RECORDS


def _text(record: MX) -> str:
    return record.exchange.to_text(omit_final_dot=True).lower() if record.exchange != dns.name.root else ""
