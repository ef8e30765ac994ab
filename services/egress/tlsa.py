"""The TLSA records of a host, where DNSSEC vouches for every step to them (RFC 7672 section 2)."""

from __future__ import annotations

from dns.rdtypes.ANY.TLSA import TLSA

from services.egress.addresses import NoAddress
from services.egress.answers import Answers, Found
from services.egress.balance import Host
from services.egress.dane import Tlsa, TlsaSet
from services.egress.dns_client import NO_SUCH_NAME, DnsClient, Response
from shared.configuration.endpoint import is_ip_address
from shared.mail.reply import Reply

LONGEST_ABSENCE_SECONDS = 300.0
"""For how long a host is known to have no records: the administrator who publishes some may wait for it."""


class TlsaRecords:
    """Looks up the records of hosts, and keeps them for their TTL. The last answer is used while look-ups fail.

    are_possible: whether any can be found, the resolver being trusted to validate.
    """

    def __init__(self, dns_client: DnsClient) -> None:
        self._dns = dns_client
        self.are_possible = dns_client.is_trusted
        self._answers = Answers(self._ask)

    async def of(self, host: Host) -> TlsaSet | NoAddress:
        """Return the validated records of a host; a set without any where DANE does not apply to it.

        NoAddress: the look-up failed, so that nothing may be sent before it succeeds (RFC 7672 section 2.1.2).
        """
        if host.settings.tls != "verify" or not host.is_secure or is_ip_address(host.name) or not self.are_possible:
            return TlsaSet(host.name)
        found = await self._answers.of((host.name, host.port))
        if isinstance(found, Reply):
            return NoAddress(451, f"cannot look up the TLSA records of {host.name}: {found.text}", "4.7.5")
        return found

    async def _ask(self, name_and_port: tuple[str, int]) -> Found[TlsaSet] | Reply:
        name, port = name_and_port
        address = await self._address(name)
        if isinstance(address, Reply):
            return Found(TlsaSet(name), 0) if address == NO_SUCH_NAME else address
        bases: tuple[str, ...] = (address.name, name)
        if not address.is_validated:  # a broken server of an insecure zone may answer no question for TLSA
            alias = await self._dns.ask(name, "CNAME") if address.name != name else None
            if isinstance(alias, Reply) and alias != NO_SUCH_NAME:
                return alias
            bases = (name,) if isinstance(alias, Response) and alias.is_validated else ()
        ttl = min(address.ttl, LONGEST_ABSENCE_SECONDS)
        for base in dict.fromkeys(bases):  # RFC 7672 section 2.2.2: where the aliases end comes first
            response = await self._dns.ask(f"_{port}._tcp.{base}", "TLSA")
            if isinstance(response, Reply):
                if response == NO_SUCH_NAME:
                    continue
                return response
            if response.records and response.is_validated:
                records = (record for record in response.records if isinstance(record, TLSA))
                found = tuple(Tlsa(record.usage, record.selector, record.mtype, record.cert) for record in records)
                return Found(TlsaSet(base, found), response.ttl)
            ttl = min(ttl, response.ttl)
        return Found(TlsaSet(name), ttl)

    async def _address(self, name: str) -> Response | Reply:
        """Return the answer about the addresses of a name: whether it is validated, and where its aliases end."""
        response = await self._dns.ask(name, "A")
        if isinstance(response, Response) and not response.records:
            return await self._dns.ask(name, "AAAA")
        return response
