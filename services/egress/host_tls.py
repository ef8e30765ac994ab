"""What to hold a smart host to in a TLS handshake: CA and name as configured, or its TLSA records."""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from dataclasses import dataclass

from services.egress.addresses import NoAddress
from services.egress.balance import Host
from services.egress.dane import TlsaSet, chain_shown, mismatch
from services.egress.tlsa import TlsaRecords
from shared.configuration.smart_hosts import SmartHost
from shared.mail.reply import Reply
from shared.operations.tls import Tls


@dataclass(frozen=True, slots=True)
class Handshake:
    """One with a host. context: None for `tls: none`. tlsa: what the host is held to instead of CA and name."""

    host: Host
    context: ssl.SSLContext | None
    tlsa: TlsaSet | None = None

    @property
    def name(self) -> str:
        """The name to ask for (SNI), which the context compares with the certificate where it verifies one."""
        return self.tlsa.name if self.tlsa else self.host.certificate_name

    @property
    def protection(self) -> str | None:
        """What `tls: verify` holds the host to, in the words of `check`; None where nothing is verified."""
        return f"TLSA record _{self.host.port}._tcp.{self.tlsa.name}" if self.tlsa else self.host.protection

    def refusal(self, tls: ssl.SSLObject | None) -> Reply | None:
        """Return why nothing may be sent over a connection, by the host's TLSA records; None where it may be."""
        if self.tlsa is None:
            return None
        problem = mismatch(self.tlsa.records, chain_shown(tls), self._names(self.tlsa)) if tls else "no TLS"
        return Reply(454, f"DANE: {problem}", "4.7.5") if problem else None

    def _names(self, tlsa: TlsaSet) -> set[str]:
        """Return the names of which a certificate under DANE-TA must have one (RFC 7672 section 3.2.2)."""
        settings = self.host.settings
        if settings.name:
            return {settings.name}
        return {tlsa.name, self.host.name} | ({settings.mx} if settings.mx else set())


class HostTls:
    """TLS towards the smart hosts of one system. Contexts are built anew when their files change.

    Raises ConfigurationError for unusable TLS files.
    """

    def __init__(self, smart_hosts: Iterable[SmartHost], records: TlsaRecords) -> None:
        self._records = records
        self._in_force: dict[SmartHost, Tls] = {}
        for entry in smart_hosts:
            if entry.tls != "none":
                self._in_force[entry] = Tls.client(entry)
            if entry.tls == "verify" and records.are_possible:
                self._in_force[_for_tlsa(entry)] = Tls.client(_for_tlsa(entry))

    async def handshake(self, host: Host) -> Handshake | NoAddress:
        """Return the next handshake with a host; NoAddress where its TLSA records cannot be looked up."""
        tlsa = await self._records.of(host)
        if isinstance(tlsa, NoAddress):
            return tlsa
        if tlsa.is_usable:
            return Handshake(host, self._in_force[_for_tlsa(host.settings)].context(), tlsa)
        tls = self._in_force.get(host.settings)
        return Handshake(host, tls.context() if tls else None)


def _for_tlsa(entry: SmartHost) -> SmartHost:
    """Return settings whose context leaves it to us to check the certificate."""
    return entry.model_copy(update={"tls": "required", "ca": None})
