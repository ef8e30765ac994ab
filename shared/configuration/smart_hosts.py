"""`smart_hosts` of a system: the next hops, by preference and weight."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from shared.configuration.endpoint import is_ip_address
from shared.configuration.section import Section
from shared.configuration.values import File, TlsVersion

_WITH_PORT = re.compile(r"(.+):(\d{1,5})")

TlsLevel = Literal["none", "opportunistic", "required", "verify"]
"""In the clear; encrypted if offered; encrypted, any certificate; encrypted, CA and name verified."""


class SmartHost(Section):
    """One next hop: a host with a port, or an MX name whose records give hosts and preferences.

    preference: lower is tried first (RFC 5321 section 5.1). weight: share within a preference (RFC 2782). tls: see
    `TlsLevel`; under `required` and `verify` nothing of a message is sent in the clear. implicit: TLS from the first
    byte (465). ca: trust anchors for `verify`, by default the machine's. name: the name that the certificate must
    have, by default the host's. certificate and key: our client certificate. max_connections, messages_per_minute:
    limits of all replicas of egress together, for the host, or for each host of the MX name. tls_minimum, ciphers: for
    hosts that cannot do better; ciphers is a cipher list of OpenSSL, for TLS 1.2 and before.
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
    tls_minimum: TlsVersion = "TLSv1.2"
    ciphers: str | None = None
    max_connections: Annotated[int, Field(ge=1)] | None = None
    messages_per_minute: Annotated[int, Field(ge=1)] | None = None

    @property
    def is_limited(self) -> bool:
        """Whether it has limits that the replicas share."""
        return self.max_connections is not None or self.messages_per_minute is not None

    @field_validator("host", "mx")
    @classmethod
    def _is_a_name_alone(cls, name: str | None) -> str | None:
        """Refuse a port in a name; the colons of an IPv6 address are none."""
        found = _WITH_PORT.fullmatch(name or "")
        if found and not is_ip_address(name or ""):
            raise ValueError(
                f'"{name}" has a port: write {found[1].strip("[]")}, and in a key of its own `port: {found[2]}`'
            )
        return name

    @model_validator(mode="after")
    def _one_of_host_and_mx(self) -> SmartHost:
        if self.host and self.mx:
            raise ValueError("a smart host has either `host` or `mx`: remove one of them")
        if not self.host and not self.mx:
            raise ValueError("a smart host has neither `host` nor `mx`: add one of them")
        if self.implicit and self.tls in ("none", "opportunistic"):
            raise ValueError("`implicit: true` needs tls `required` or `verify`: set one of them")
        if (self.certificate is None) != (self.key is None):
            raise ValueError("`certificate` and `key` go together: set both")
        return self
