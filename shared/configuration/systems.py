"""`systems`: the mail systems on either side."""

from __future__ import annotations

from typing import Literal

from shared.configuration.section import Section
from shared.configuration.smart_hosts import SmartHost
from shared.configuration.values import Charset, Cidr, Domain, MailDomain, Name


class System(Section):
    """A mail system on one side of the gateway. `causeway.example.yaml` shows every key at work.

    kind: chooses the conversions. networks: addresses of the clients that belong to the system. client_names: DNS names
    in client certificates that identify it too, `*.` for one label; needs ingress.tls.client_ca. domains: internal
    domains whose mailboxes are here; `*.notes.example.com` for every host below a domain (not the domain itself), and
    an address literal such as `[10.1.2.3]` for itself. notes_domains: Notes domains, as in John Doe/Sales/Acme@ACME.
    public_domain: the domain shown to all others in place of the internal domains. envelope_domain: replaces the domain
    of recipients in RCPT TO, null to keep it. default_route: the system that gets its mail for all other domains, null
    to refuse it. encapsulation: whether Notes rich text is kept in mail delivered to the system. recipients: `mapped`
    refuses recipients in our domains that the address map does not know. default_charset: of its mail that declares
    none and whose bytes do not show it, null to leave such text as it is. smart_hosts: the next hops.
    """

    name: Name
    kind: Literal["domino", "exchange", "internet"]
    networks: list[Cidr] = []
    client_names: list[str] = []
    domains: list[MailDomain] = []
    notes_domains: list[str] = []
    public_domain: Domain | None = None
    envelope_domain: Domain | None = None
    default_route: str | None = None
    encapsulation: Literal["keep", "strip"] = "keep"
    recipients: Literal["any", "mapped"] = "any"
    default_charset: Charset | None = None
    smart_hosts: list[SmartHost] = []
