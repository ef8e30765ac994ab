"""The types of value in the configuration file, each with the check of its text."""

from __future__ import annotations

import re
from datetime import timedelta
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator
from webencodings.labels import LABELS

Network = IPv4Network | IPv6Network

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)")
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOSTNAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_DOMAIN = re.compile(r"[\w-]+(?:\.[\w-]+)*")
_LOCAL = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]+")
_LITERAL = re.compile(r"\[(ipv6:)?([0-9a-f.:]+)\]")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,40}")
_NOT_A_DEFAULT = frozenset({"replacement", "utf-16be", "utf-16le", "x-user-defined"})
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_duration(value: Any) -> Any:
    """Read "5m", "1h30m", "4h", "5d" or a number of seconds as a timedelta; leave other types to the type check."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return timedelta(seconds=value)
    if isinstance(value, str) and value.strip():
        parts = _DURATION.findall(value)
        if parts and not _DURATION.sub("", value).strip():
            return timedelta(seconds=sum(float(number) * _SECONDS[unit] for number, unit in parts))
        raise ValueError(f'not a valid duration: "{value}": write a number with ms, s, m, h or d, for example 5m')
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
        raise ValueError(f'not a valid network: "{value}": write for example 10.1.0.0/16') from None
    raise ValueError(
        f'not a valid network: "{value}" has host bits set: write {meant}, or the address without the prefix length'
    )


def _parse_address(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return ip_address(value)
    except ValueError:
        raise ValueError(f'not a valid IP address: "{value}": write for example 10.1.0.53') from None


def _check_hostname(value: Any) -> Any:
    """Accept a name for SMTP (RFC 5321 section 2.3.5) with labels valid in DNS; international ones as xn--."""
    if isinstance(value, str) and not (len(value) <= 253 and _HOSTNAME.fullmatch(value)):
        raise ValueError(
            f'not a valid host name: "{value}": use letters, digits, hyphens and dots, for example mail.example.com'
        )
    return value


def _check_domain(value: Any) -> Any:
    """Return a domain of addresses in lower case; international ones may be written in Unicode."""
    if not isinstance(value, str):
        return value
    domain = value.lower().rstrip(".")
    if not _DOMAIN.fullmatch(domain):
        raise ValueError(f'not a valid domain: "{value}": write only the part after the @, for example example.com')
    return domain


def _check_mail_domain(value: Any) -> Any:
    """Return the part after the @: a domain, `*.` and a domain for the hosts below it, or an address literal."""
    if not isinstance(value, str):
        return value
    text = value.lower().rstrip(".")
    if text.startswith("*."):
        return f"*.{_check_domain(text[2:])}"
    if not text.startswith("["):
        return _check_domain(value)
    found = _LITERAL.fullmatch(text)
    try:
        if found:
            return f"[ipv6:{IPv6Address(found[2])}]" if found[1] else f"[{IPv4Address(found[2])}]"
    except ValueError:
        pass
    raise ValueError(f'"{value}" is not an address literal: write "[10.1.2.3]" or "[IPv6:2001:db8::1]"')


def _check_mail_address(value: str) -> str:
    local, _, domain = value.rpartition("@")
    if not _LOCAL.fullmatch(local) or not _DOMAIN.fullmatch(domain):
        raise ValueError(f'"{value}" is not a mail address: write for example postmaster@example.com')
    return value


def _check_charset(value: Any) -> Any:
    """Accept a label of the WHATWG registry whose charset is a superset of ASCII."""
    if isinstance(value, str) and LABELS.get(value.strip().lower(), "replacement") in _NOT_A_DEFAULT:
        raise ValueError(f'"{value}" is not a known character set: write for example iso-8859-2 or windows-1251')
    return value.strip() if isinstance(value, str) else value


def _check_positive(value: timedelta) -> timedelta:
    if value <= timedelta(0):
        raise ValueError("must be greater than zero: write for example 30s")
    return value


def at_most_ten_years(value: timedelta) -> timedelta:
    """Return the time. Raises ValueError above ten years."""
    if value > timedelta(days=3660):
        raise ValueError("must be at most ten years: write 3660d or less")
    return value


def _check_name(value: Any) -> Any:
    if isinstance(value, str) and not _NAME.fullmatch(value):
        raise ValueError(f'not a valid system name: "{value}": use 1 to 40 letters, digits, hyphens and underscores')
    return value


Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
PositiveDuration = Annotated[Duration, AfterValidator(_check_positive)]
Address = Annotated[IPv4Address | IPv6Address, BeforeValidator(_parse_address)]
Cidr = Annotated[Network, BeforeValidator(_parse_network)]
File = Annotated[Path, AfterValidator(lambda path: path.expanduser().absolute())]
Hostname = Annotated[str, BeforeValidator(_check_hostname)]
Domain = Annotated[str, BeforeValidator(_check_domain)]
MailDomain = Annotated[str, BeforeValidator(_check_mail_domain)]
MailAddress = Annotated[str, AfterValidator(_check_mail_address)]
Charset = Annotated[str, BeforeValidator(_check_charset)]
Name = Annotated[str, BeforeValidator(_check_name)]

TlsVersion = Literal["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"]
