"""What a smart host offers, without a delivery: TLS, certificate, extensions, or why it cannot be used."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from services.egress.addresses import HostAddresses
from services.egress.balance import Host
from services.egress.connect import open_session
from services.egress.host_tls import HostTls
from services.egress.mx import Resolver
from services.egress.session import Session, Timeouts
from shared.configuration.smart_hosts import SmartHost
from shared.mail.reply import Reply
from shared.operations.certificates import Certificate, shown


@dataclass(frozen=True, slots=True)
class Probed:
    """One smart host. key: of its entry, `systems[0].smart_hosts[1]`. fault: why no mail would go there now, or None.

    host: host:port, or the MX name that has no host. encryption: version and cipher, None in the clear. certificate:
    the host's, which only `verify` checks. extensions: keyword to parameters (RFC 5321 section 4.1.1.1), after TLS.
    protection: what the certificate is compared with, see `Handshake`.
    """

    key: str
    system: str
    host: str
    fault: str | None = None
    encryption: str | None = None
    certificate: Certificate | None = None
    extensions: tuple[tuple[str, str], ...] = ()
    protection: str | None = None

    @property
    def max_message_bytes(self) -> int | None:
        """The largest message that the host says it takes (RFC 1870); None where it names no limit."""
        size = dict(self.extensions).get("size", "")
        return int(size) or None if size.isdecimal() else None


async def probe_entry(
    key: str,
    system: str,
    entry: SmartHost,
    resolver: Resolver,
    *,
    hostname: str,
    tls: HostTls,
    timeouts: Timeouts,
    addresses: HostAddresses,
) -> list[Probed]:
    """Connect to every host that a configured smart host stands for, as a delivery would."""
    hosts = await resolver.hosts([entry])
    if isinstance(hosts, Reply):
        return [Probed(key, system, entry.host or entry.mx or "", fault=str(hosts))]

    async def probed(host: Host) -> Probed:
        session = await open_session(host, hostname=hostname, tls=tls, timeouts=timeouts, addresses=addresses)
        handshake = await tls.handshake(host)  # as it was for the session: answers of DNS are kept
        protection = host.protection if isinstance(handshake, Reply) else handshake.protection
        made = partial(Probed, key, system, protection=protection)
        if isinstance(session, Reply):
            return made(host.key, fault=str(session))
        found = _probed(made, session)
        await session.quit()
        return found

    return list(await asyncio.gather(*(probed(host) for host in hosts)))


def _probed(probed: Callable[..., Probed], session: Session) -> Probed:
    extensions = tuple((name.lower(), parameters) for name, parameters in session.extensions.items())
    tls = session.tls
    if tls is None:
        return probed(session.host.key, extensions=extensions)
    cipher = tls.cipher()
    encryption = f"{tls.version()} {cipher[0] if cipher else ''}".strip()
    return probed(session.host.key, None, encryption, _certificate(tls), extensions)


def _certificate(tls: ssl.SSLObject) -> Certificate | None:
    der = tls.getpeercert(binary_form=True)
    try:
        return shown(der) if der else None
    except ValueError:  # one that OpenSSL takes and a stricter reader does not
        return None
