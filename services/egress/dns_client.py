"""Questions to DNS, each with what its answer is worth: records, TTL, and whether DNSSEC has validated them.

The AD flag says that the resolver has validated an answer (RFC 4035 section 3.2.3). It counts only where nobody can
change the answer on its way: from a resolver on this machine, or from one that the administrator names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address

import dns.asyncresolver
import dns.exception
import dns.flags
import dns.rdata
import dns.resolver

from shared.mail.reply import Reply

NO_ANSWER = Reply(451, "DNS server did not respond", "4.4.3")
NO_SUCH_NAME = Reply(451, "domain does not exist (NXDOMAIN)", "4.4.4")
"""Temporary, as everything about a name that we configured: senders can do nothing about it."""

LIFETIME_SECONDS = 10.0
"""For one look-up, over all name servers."""
_OF_DOCKER = ip_address("127.0.0.11")
"""Docker's resolver: on a loopback address, but it hands on the flags of any server behind it."""


@dataclass(frozen=True, slots=True)
class Response:
    """records: none where the name exists without them. name: at the end of its aliases. ttl: in seconds."""

    records: tuple[dns.rdata.Rdata, ...]
    name: str
    ttl: float
    is_validated: bool


class DnsClient:
    """Asks the given resolvers, by address, which are trusted to validate; without any, those of resolv.conf.

    Those of resolv.conf are trusted where all of them are on loopback addresses.
    """

    def __init__(self, trusted: Sequence[str] = (), *, port: int = 53, resolv_conf: str = "/etc/resolv.conf") -> None:
        self._trusted = tuple(trusted)
        self._resolv_conf = resolv_conf
        self._port = port
        self._resolver: dns.asyncresolver.Resolver | None = None

    @property
    def is_trusted(self) -> bool:
        """Whether an answer can be validated at all."""
        try:
            return bool(self._trusted) or all(map(_is_local, self._connected().nameservers))
        except (dns.exception.DNSException, OSError):
            return False

    async def ask(self, name: str, kind: str) -> Response | Reply:
        """Return the records of a name; NO_SUCH_NAME where it does not exist, NO_ANSWER where the look-up failed."""
        try:
            answer = await self._connected().resolve(
                name, kind, lifetime=LIFETIME_SECONDS, search=False, raise_on_no_answer=False
            )
        except dns.resolver.NXDOMAIN:
            return NO_SUCH_NAME
        except (dns.exception.DNSException, OSError):
            return NO_ANSWER
        return Response(
            tuple(answer),
            answer.canonical_name.to_text(omit_final_dot=True).lower(),
            answer.chaining_result.minimum_ttl,
            bool(answer.response.flags & dns.flags.AD) and self.is_trusted,
        )

    def _connected(self) -> dns.asyncresolver.Resolver:
        """Return the resolver. Raises DNSException, OSError."""
        if self._resolver is None:
            resolver = dns.asyncresolver.Resolver(self._resolv_conf, configure=not self._trusted)
            if self._trusted:
                resolver.nameservers = list(self._trusted)
            resolver.port = self._port
            resolver.flags = dns.flags.RD | dns.flags.AD  # RFC 6840 section 5.7: asks for the AD flag
            self._resolver = resolver
        return self._resolver


def _is_local(nameserver: object) -> bool:
    address = ip_address(str(nameserver).partition("%")[0])
    return address.is_loopback and address != _OF_DOCKER
