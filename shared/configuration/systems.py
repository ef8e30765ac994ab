"""`systems`: the mail systems on either side, with their smart hosts."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from shared.configuration.section import Section
from shared.configuration.values import Cidr, Domain, File, MailDomain, Name

TlsLevel = Literal["none", "opportunistic", "required", "verify"]


class SmartHost(Section):
    """One next hop: a host with a port, or an MX name whose records give hosts and preferences.

    preference: lower is tried first (RFC 5321 section 5.1). weight: share within a preference (RFC 2782). tls: see
    `TlsLevel`; under `required` and `verify` nothing of a message is sent in the clear. implicit: TLS from the first
    byte (465). ca: trust anchors for `verify`, the system's where not given. name: the name the certificate must bear,
    the host's where not given. certificate and key: shown to the smart host. max_connections, messages_per_minute: what
    all replicas of egress together may do with the host, or with each host of the MX name.
    """

    host: str | None = None
    mx: str | None = None
    port: Annotated[int, Field(ge=1, le=65535)] = 25
    preference: Annotated[int, Field(ge=0, le=65535)] = 10
    weight: Annotated[int, Field(ge=0, le=65535)] = 1
    tls: TlsLevel = "required"
    implicit: bool = False
    ca: File | None = None
    name: str | None = None
    certificate: File | None = None
    key: File | None = None
    max_connections: Annotated[int, Field(ge=1)] | None = None
    messages_per_minute: Annotated[int, Field(ge=1)] | None = None

    @property
    def is_limited(self) -> bool:
        """Whether the replicas have to agree about what they do with it."""
        return self.max_connections is not None or self.messages_per_minute is not None

    @model_validator(mode="after")
    def _one_of_host_and_mx(self) -> SmartHost:
        if self.host and self.mx:
            raise ValueError("a smart host has either `host` or `mx`: remove one of them")
        if not self.host and not self.mx:
            raise ValueError("a smart host has neither `host` nor `mx`: add one of them")
        if self.implicit and self.tls in ("none", "opportunistic"):
            raise ValueError("`implicit: true` goes with tls `required` or `verify`: set one of them")
        if (self.certificate is None) != (self.key is None):
            raise ValueError("`certificate` and `key` go together: name both")
        return self


class System(Section):
    """A mail system on one side of the gateway. See causeway.example.yaml for each key.

    domains: Internet domains that live here; `*.notes.example.com` stands for every host below the domain (not for the
    domain itself), and an address literal such as `[10.1.2.3]` for itself. recipients: `mapped` refuses recipients in
    our domains that the address map does not know; see `shared.routing.route`.
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
    smart_hosts: list[SmartHost] = []
