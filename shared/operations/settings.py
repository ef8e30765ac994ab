"""The configuration file `causeway.yaml`: its shape, its defaults and what each value means.

Any key can come from the environment (`CAUSEWAY_INGRESS__HOSTNAME=…`), which wins over the file. `configuration.load`
reads both. One file is valid or invalid as a whole, so every service reads all of it and is handed its own section.
"""

from __future__ import annotations

import re
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

Network = IPv4Network | IPv6Network
Durability = Literal["memory", "everysec", "fsync", "replicated"]
TlsLevel = Literal["none", "opportunistic", "required", "verify"]

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)")
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOSTNAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_DOMAIN = re.compile(r"[\w-]+(?:\.[\w-]+)*")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,40}")
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_duration(value: Any) -> Any:
    """Read "5m", "1h30m", "4h", "5d" or a number of seconds as a timedelta; leave anything else to the type check."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return timedelta(seconds=value)
    if isinstance(value, str) and value.strip():
        parts = _DURATION.findall(value)
        if parts and not _DURATION.sub("", value).strip():
            return timedelta(seconds=sum(float(number) * _SECONDS[unit] for number, unit in parts))
        raise ValueError("a duration is a number with ms, s, m, h or d, for example 5m")
    return value


def _parse_network(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return ip_network(value)
    except ValueError:
        pass
    try:
        meant = ip_network(value, strict=False)
    except ValueError:
        raise ValueError(f'"{value}" is no network: write for example 10.1.0.0/16') from None
    raise ValueError(f'"{value}" is an address inside a network: write {meant}, or the address without its /')


def parse_listen(value: str) -> tuple[str, int]:
    """Split "host:port" or "[v6]:port". Raises ValueError naming the form."""
    host, colon, port = value.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535:
        raise ValueError(f'"{value}" is no listening address: write host:port, for example 0.0.0.0:2525')
    return host.strip("[]"), int(port)


def _check_hostname(value: Any) -> Any:
    """Let through a name for SMTP (RFC 5321 section 2.3.5) whose labels DNS takes; international ones as xn--."""
    if isinstance(value, str) and not (len(value) <= 253 and _HOSTNAME.fullmatch(value)):
        raise ValueError(f'"{value}" is no host name: use letters, digits, hyphens and dots, such as mail.example.com')
    return value


def _check_listen(value: str) -> str:
    parse_listen(value)
    return value


def _check_domain(value: Any) -> Any:
    """Return a domain of addresses in lower case; international ones may stand as they are read."""
    if not isinstance(value, str):
        return value
    domain = value.lower().rstrip(".")
    if not _DOMAIN.fullmatch(domain):
        raise ValueError(f'"{value}" is no domain: write only what stands after the @, such as example.com')
    return domain


def _check_some_time(value: timedelta) -> timedelta:
    if value <= timedelta(0):
        raise ValueError("is no time at all: write for example 30s")
    return value


def _check_ten_years(value: timedelta) -> timedelta:
    if value > timedelta(days=3660):
        raise ValueError("is more than ten years: write 3660d at most")
    return value


def _check_name(value: Any) -> Any:
    if isinstance(value, str) and not _NAME.fullmatch(value):
        raise ValueError(f'"{value}" is no name of a system: use up to 40 letters, digits, hyphens and underscores')
    return value


Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
SomeTime = Annotated[Duration, AfterValidator(_check_some_time)]
Listen = Annotated[str, BeforeValidator(_check_listen)]
Cidr = Annotated[Network, BeforeValidator(_parse_network)]
File = Annotated[Path, AfterValidator(lambda path: path.expanduser().absolute())]
Hostname = Annotated[str, BeforeValidator(_check_hostname)]
Domain = Annotated[str, BeforeValidator(_check_domain)]
Name = Annotated[str, BeforeValidator(_check_name)]


def _is_of_numbers(kind: Any) -> bool:
    """Whether a type, or what it is made of, is a number or a time."""
    return kind in (int, float, timedelta) or any(map(_is_of_numbers, get_args(kind)))


class Section(BaseModel):
    """A part of the file. Unknown keys are errors; values never change after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @field_validator("*", mode="before")
    @classmethod
    def _no_word_for_a_number(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse yes and no where a number or a time belongs: pydantic would read 1 and 0."""
        if isinstance(value, bool) and _is_of_numbers(cls.model_fields[info.field_name or ""].annotation):
            raise ValueError(
                f"is {str(value).lower()} to YAML, as on, off, yes and no are unless quoted: should be a number"
            )
        return value


class Sentinel(Section):
    """Redis found through Sentinel."""

    service: str
    nodes: Annotated[list[Listen], Field(min_length=1)]


class RedisSettings(Section):
    """Where the spool is, and how strong it must be.

    url: redis://, rediss://, unix://, or `embedded` (only `causeway up`, `demo`). replicas: how many must have a write
    under `replicated`. max_queue_depth: ready jobs above which ingress answers 452. history: how long `causeway trace`
    knows a finished message.
    """

    url: str = "redis://127.0.0.1:6379/0"
    sentinel: Sentinel | None = None
    durability: Durability = "fsync"
    replicas: Annotated[int, Field(ge=1)] = 1
    max_memory_fraction: Annotated[float, Field(gt=0, le=1)] = 0.8
    max_queue_depth: Annotated[int, Field(ge=1)] = 2_000_000
    timeout: SomeTime = timedelta(seconds=10)
    history: Duration = timedelta(days=1)


class IngressTls(Section):
    """TLS as a server. client_ca: accept client certificates signed by it (asked for, never demanded by TLS itself)."""

    mode: Literal["none", "opportunistic", "required"] = "opportunistic"
    certificate: File | None = None
    key: File | None = None
    client_ca: File | None = None


class IngressSettings(Section):
    """How mail is accepted. Sizes in octets, times as durations, the rest are counts."""

    listen: list[Listen] = ["0.0.0.0:2525"]
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
    max_received_headers: Annotated[int, Field(ge=1)] = 50
    max_own_received_headers: Annotated[int, Field(ge=1)] = 5
    command_timeout: SomeTime = timedelta(minutes=5)
    data_timeout: SomeTime = timedelta(minutes=3)
    session_timeout: SomeTime = timedelta(hours=1)
    shutdown_timeout: Duration = timedelta(seconds=60)


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
    """A mail system on one side of the gateway. See ARCHITECTURE.md for each key."""

    name: Name
    kind: Literal["domino", "exchange", "internet"]
    networks: list[Cidr] = []
    client_names: list[str] = []
    domains: list[Domain] = []
    notes_domains: list[str] = []
    public_domain: Domain | None = None
    envelope_domain: Domain | None = None
    default_route: str | None = None
    encapsulation: Literal["keep", "strip"] = "keep"
    smart_hosts: list[SmartHost] = []


class AddressSettings(Section):
    """map: a CSV file with the columns public, internal, notes_name; read again when it changes."""

    map: File | None = None


class WebLinks(Section):
    """How a browser reaches what a Domino server holds.

    host: of the URL, perhaps with a port; `{server}` in it is the server's name in lower case. document, view,
    database: the URL of a link that goes so far; {host}, {server}, {replica} (16 hex digits), {view} and {note} (32)
    are filled in.
    """

    host: Annotated[str, Field(pattern=r"^[A-Za-z0-9.:\[\]{}-]+$")]
    document: str = "https://{host}/__{replica}.nsf/{view}/{note}?OpenDocument"
    view: str = "https://{host}/__{replica}.nsf/{view}?OpenView"
    database: str = "https://{host}/__{replica}.nsf?OpenDatabase"

    @model_validator(mode="after")
    def _check_templates(self) -> WebLinks:
        try:
            self.host.format(server="")
            urls = [
                template.format(host="h", server="s", replica="r", view="v", note="n")
                for template in (self.document, self.view, self.database)
            ]
        except (KeyError, IndexError, ValueError, AttributeError):
            raise ValueError("a template holds only {host}, {server}, {replica}, {view} and {note} in braces") from None
        if not all(url.startswith(("https://", "http://")) for url in urls):
            raise ValueError("the URL of a web link starts with https:// or http://")
        return self


class RecurrenceNotice(Section):
    """What the organizer of a meeting is told whose recurrence the other side cannot hold.

    also: addresses that get the notice too. The meeting's name and dates follow the text.
    """

    subject: str = "Recurring meeting not carried over as a series"
    text: str = (
        "The calendars of the other mail system cannot hold the way this meeting repeats. The people invited there\n"
        "may see only its first date. Please invite them to each of these dates:"
    )
    also: list[str] = []


class TransformSettings(Section):
    """How messages are converted. message_timeout bounds one message; max_crashes, after which it is a dead letter.

    links: what a Notes document link becomes outside Notes; each chosen form that cannot be made becomes `attachment`.
    link_server: where a link names no server. web_links: by the server's common name, in any case; "*" for all others.
    friendly_names: whether mail from outside shows display names in recipient fields to Notes, or bare addresses.
    max_recipient_header_bytes: a recipient field above it is shortened for Notes, visibly; the envelope never is.
    outlook_html: what becomes of the HTML that Outlook writes, on its way to Notes.
    unsupported_recurrence: what becomes of a Notes series that no rule of Outlook says: single meetings, a notice to
    its organizer, or nothing; the last two leave it as it is.
    series_memory: how long after the last date of a meeting is known what each side was told of it.
    endless_series: how far from now a series without an end goes on in Notes, which takes none without.
    forward_notice: what people outside Notes are told when they forward a Notes meeting to Notes, null for nothing;
    {summary} and {organizer} are of the meeting.
    """

    links: list[Literal["notes_url", "web_url", "attachment"]] = ["notes_url"]
    link_server: str | None = None
    web_links: dict[str, WebLinks] = {}
    friendly_names: Literal["keep", "remove"] = "keep"
    max_recipient_header_bytes: Annotated[int, Field(ge=512)] = 15 * 1024
    outlook_html: Literal["reduce", "keep"] = "reduce"
    unsupported_recurrence: Literal["explode", "notice", "pass"] = "explode"
    unsupported_recurrence_notice: RecurrenceNotice = RecurrenceNotice()
    series_memory: SomeTime = timedelta(days=180)
    endless_series: Annotated[SomeTime, AfterValidator(_check_ten_years)] = timedelta(days=730)
    forward_notice: str | None = (
        'You forwarded the meeting "{summary}" to people who use Notes. Notes takes an invitation only from its\n'
        "organizer, so the meeting may not appear in their calendars.\n\n"
        "Please ask {organizer} to invite them."
    )
    message_timeout: SomeTime = timedelta(seconds=60)
    lease: SomeTime = timedelta(seconds=30)
    batch: Annotated[int, Field(ge=1, le=1000)] = 32
    batch_bytes: Annotated[int, Field(ge=1024)] = 67_108_864
    max_crashes: Annotated[int, Field(ge=1)] = 3

    @model_validator(mode="after")
    def _check_links(self) -> TransformSettings:
        if "web_url" in self.links and not self.web_links:
            raise ValueError("`links` has web_url, so `web_links` must name a host")
        return self


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
            raise ValueError("`first` is no wait at all: write for example 5m")
        if self.first > self.longest:
            raise ValueError("`first` is longer than `longest`: shorten it, or raise `longest`")
        if self.give_up <= timedelta(0):
            raise ValueError("`give_up` leaves no time to deliver: write for example 5d")
        return self


class EgressSettings(Section):
    """How mail is delivered. Connections are reused by time, not by count, so that slow hosts do not attract load."""

    connections_per_host: Annotated[int, Field(ge=1)] = 20
    reuse_seconds: Annotated[float, Field(ge=0)] = 300
    retry: RetrySettings = RetrySettings()
    refused: Literal["report", "dead_letter", "both"] = "report"
    connect_timeout: SomeTime = timedelta(seconds=15)
    command_timeout: SomeTime = timedelta(minutes=2)
    data_timeout: SomeTime = timedelta(minutes=10)
    lease: SomeTime = timedelta(seconds=30)
    host_down: Duration = timedelta(seconds=30)
    host_down_longest: Duration = timedelta(minutes=10)
    max_in_flight: Annotated[int, Field(ge=1)] = 200
    max_bytes_in_flight: Annotated[int, Field(ge=1024)] = 268_435_456
    max_crashes: Annotated[int, Field(ge=1)] = 3
    shutdown_timeout: Duration = timedelta(seconds=60)


class HttpSettings(Section):
    """/livez, /readyz and /metrics of a service; null for none."""

    listen: Listen | None = "0.0.0.0:9100"


class Settings(BaseSettings):
    """The whole of `causeway.yaml`."""

    model_config = SettingsConfigDict(
        env_prefix="CAUSEWAY_", env_nested_delimiter="__", env_parse_none_str="null", extra="forbid", frozen=True
    )

    hostname: Hostname = "localhost"
    redis: RedisSettings = RedisSettings()
    ingress: IngressSettings = IngressSettings()
    systems: list[System] = []
    addresses: AddressSettings = AddressSettings()
    transform: TransformSettings = TransformSettings()
    egress: EgressSettings = EgressSettings()
    http: HttpSettings = HttpSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 (the interface of pydantic-settings)
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment win over the constructor's arguments, which are the content of the file."""
        return env_settings, init_settings

    def system(self, name: str) -> System:
        """Return the system of that name. Raises KeyError."""
        for system in self.systems:
            if system.name == name:
                return system
        raise KeyError(name)
