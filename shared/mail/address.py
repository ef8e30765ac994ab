"""An Internet mail address as a value: a mailbox of RFC 5321 section 4.1.2, with the characters of RFC 6531.

Stricter than common input in one point: control characters are rejected, so an address can never end an SMTP command
or a header line. More lenient in two, for addresses in daily use: dots may occur anywhere in a local part, and the
limit of 64 bytes of RFC 5321 section 4.5.3.1.1 is not enforced (Exchange's IMCEAEX addresses are longer).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv6Address

from shared.errors import MalformedAddress

MAX_OCTETS = 998  # what a line of a message can carry (RFC 5322 section 2.1.1)
MAX_DOMAIN_OCTETS = 255  # RFC 5321 section 4.5.3.1.2

ATEXT = r"A-Za-z0-9!#$%&'*+/=?^_`{|}~\-"  # RFC 5322 section 3.2.3
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_DOT_STRING = re.compile(rf"[{ATEXT}.\u0080-\U0010ffff]+")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_ESCAPED = re.compile(r"\\(.)")
_DOMAIN = re.compile(r"(?!-)[\w-]+(?<!-)(?:\.(?!-)[\w-]+(?<!-))*")
_LITERAL = re.compile(r"\[(?:\d{1,3}(?:\.\d{1,3}){3}|[A-Za-z0-9-]+:[\x21-\x5a\x5e-\x7e]+)\]")


def unquote(local: str) -> str:
    """Return the value of a local part: a quoted string without quotes and escapes, anything else unchanged."""
    found = _QUOTED.fullmatch(local)
    return _ESCAPED.sub(r"\1", found[1]) if found else local


def domain_key(domain: str) -> str:
    """Return the form of a domain used for comparison: lower case, A-labels (RFC 5890), no final dot.

    An IPv6 literal gets the canonical form of its address (RFC 5952).
    """
    domain = domain.strip().lower().removesuffix(".")
    if domain.startswith("[ipv6:"):
        return _literal_key(domain)
    if domain.isascii() or len(domain) > MAX_DOMAIN_OCTETS:
        return domain
    try:
        return domain.encode("idna").decode("ascii")
    except UnicodeError:
        return domain


def _literal_key(literal: str) -> str:
    try:
        return f"[ipv6:{IPv6Address(literal[6:].removesuffix(']'))}]"
    except ValueError:
        return literal


def address_key(text: str) -> str:
    """Return the lookup key of an address: case-folded in both parts, without quoting. Never fails."""
    local, at, domain = text.strip().rpartition("@")
    return f"{unquote(local).lower()}{at}{domain_key(domain)}"


@dataclass(frozen=True, slots=True)
class Address:
    """A mailbox. local: unquoted, its case kept. domain: lower case, or an address literal in brackets."""

    local: str
    domain: str

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read `local@domain`. Raises MalformedAddress, whose text is one line safe to log."""
        if _UNSAFE.search(text):
            raise MalformedAddress(f"{text[:80]!a} holds a control character")
        if len(text.encode()) > MAX_OCTETS:
            raise MalformedAddress(f"{text[:40]}… is longer than {MAX_OCTETS} bytes")
        written, at, domain = text.rpartition("@")
        if not at:
            raise MalformedAddress(f'"{text}" has no @')
        if not _QUOTED.fullmatch(written) and not _DOT_STRING.fullmatch(written):
            raise MalformedAddress(f'"{written}" is not a valid local part')
        literal = _LITERAL.fullmatch(domain)
        if (not literal and not _DOMAIN.fullmatch(domain)) or len(domain.encode()) > MAX_DOMAIN_OCTETS:
            raise MalformedAddress(f'"{domain}" is not a valid domain')
        return cls(unquote(written), domain.lower())

    @classmethod
    def is_valid(cls, text: str) -> bool:
        """Whether `parse` accepts the text."""
        try:
            cls.parse(text)
        except MalformedAddress:
            return False
        return True

    @property
    def key(self) -> str:
        """The lookup key: two spellings of the same mailbox have the same key."""
        return f"{self.local.lower()}@{domain_key(self.domain)}"

    def __str__(self) -> str:
        return f"{quote(self.local)}@{self.domain}"


def quote(local: str) -> str:
    """Return a local part as it is written: quoted (RFC 5321 section 4.1.2) only if necessary."""
    if _DOT_STRING.fullmatch(local):
        return local
    escaped = local.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
