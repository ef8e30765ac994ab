"""`ingress`: how mail is accepted."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field

from shared.configuration.endpoint import Endpoint, Listen
from shared.configuration.section import Section
from shared.configuration.values import Cidr, Duration, File, Hostname, PositiveDuration, TlsVersion


class IngressTls(Section):
    """TLS as a server. client_ca: client certificates signed by it prove the names in them; none is ever required.

    tls_minimum, ciphers: for clients that cannot do better; see `SmartHost`.
    """

    mode: Literal["none", "opportunistic", "required"] = "opportunistic"
    certificate: File | None = None
    key: File | None = None
    client_ca: File | None = None
    tls_minimum: TlsVersion = "TLSv1.2"
    ciphers: str | None = None


class IngressSettings(Section):
    """How mail is accepted. Sizes in bytes, times as durations, the rest are counts."""

    listen: list[Listen] = [Endpoint("0.0.0.0", 2525)]  # noqa: S104 (what accepts mail)
    listen_tls: list[Listen] = []
    proxy_protocol_from: list[Cidr] = []
    tls: IngressTls = IngressTls()
    hostname: Hostname | None = None
    max_message_bytes: Annotated[int, Field(ge=1024)] = 52_428_800
    max_recipients: Annotated[int, Field(ge=1)] = 1000
    bare_newline: Literal["reject", "normalize"] = "reject"
    max_bytes_in_flight: Annotated[int, Field(ge=1024)] = 536_870_912
    max_sessions: Annotated[int, Field(ge=1)] = 2000
    max_sessions_per_client: Annotated[int, Field(ge=1)] = 200
    max_errors: Annotated[int, Field(ge=1)] = 20
    max_commands: Annotated[int, Field(ge=1)] = 10_000
    max_received_headers: Annotated[int, Field(ge=1)] = 100
    max_own_received_headers: Annotated[int, Field(ge=1)] = 5
    command_timeout: PositiveDuration = timedelta(minutes=5)
    data_timeout: PositiveDuration = timedelta(minutes=3)
    session_timeout: PositiveDuration = timedelta(hours=1)
    shutdown_timeout: Duration = timedelta(seconds=60)
