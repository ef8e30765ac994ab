"""`egress`: how mail is delivered."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, model_validator

from shared.configuration.section import Section
from shared.configuration.values import Address, Duration, PositiveDuration


class RetrySettings(Section):
    """When a deferred delivery is tried again (RFC 5321 section 4.5.4.1). jitter is a fraction of the wait."""

    first: Duration = timedelta(minutes=5)
    factor: Annotated[float, Field(ge=1)] = 2
    longest: Duration = timedelta(hours=4)
    give_up: Duration = timedelta(days=5)
    jitter: Annotated[float, Field(ge=0, lt=1)] = 0.1
    warn_after: Duration = timedelta(hours=4)

    @model_validator(mode="after")
    def _grows(self) -> RetrySettings:
        if self.first <= timedelta(0):
            raise ValueError("`first` must be greater than zero: write for example 5m")
        if self.first > self.longest:
            raise ValueError("`first` is longer than `longest`: lower it, or raise `longest`")
        if self.give_up <= timedelta(0):
            raise ValueError("`give_up` must be greater than zero: write for example 5d")
        return self


class EgressSettings(Section):
    """How mail is delivered. Connections are reused by time, not by count, so that slow hosts do not attract load.

    dnssec_resolvers: addresses of resolvers that validate DNSSEC, over a network that nobody else can reach; asked for
    MX and TLSA records instead of those of /etc/resolv.conf, which are trusted to validate on loopback addresses only.
    """

    connections_per_host: Annotated[int, Field(ge=1)] = 20
    reuse_seconds: Annotated[float, Field(ge=0)] = 300
    retry: RetrySettings = RetrySettings()
    refused: Literal["report", "dead_letter", "both"] = "report"
    connect_timeout: PositiveDuration = timedelta(seconds=15)
    command_timeout: PositiveDuration = timedelta(minutes=2)
    data_timeout: PositiveDuration = timedelta(minutes=10)
    lease: PositiveDuration = timedelta(seconds=30)
    host_down: Duration = timedelta(seconds=30)
    host_down_longest: Duration = timedelta(minutes=10)
    max_in_flight: Annotated[int, Field(ge=1)] = 200
    max_bytes_in_flight: Annotated[int, Field(ge=1024)] = 268_435_456
    max_crashes: Annotated[int, Field(ge=1)] = 3
    shutdown_timeout: Duration = timedelta(seconds=60)
    dnssec_resolvers: list[Address] = []
