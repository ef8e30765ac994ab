"""IMCEA: how Exchange puts an address of another kind into an Internet address (MS-OXOABK, "encapsulated address").

    IMCEANOTES-John+20Doe+2FSales+2FAcme+40ACME@exchange.example.com
    IMCEAEX-_O=ACME_OU=SALES_CN=RECIPIENTS_CN=JDOE@exchange.example.com
    IMCEAINVALID-jdoe+40notes+2Eexample+2Ecom@exchange.example.com

`+XX` is a byte of UTF-8 in hexadecimal, `_` a slash.

Exchange writes INVALID and MAILTO around the text that a sender typed or a link contained, usually an Internet address.

Quirks: relays turn `+` into `/`, so that `/40` stands for `@`; a slash never occurs otherwise.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, cast

from shared.mail.address import Address

Scheme = Literal["NOTES", "SMTP", "EX", "INVALID", "MAILTO"]

_ENCAPSULATED = re.compile(r"IMCEA(NOTES|SMTP|EX|INVALID|MAILTO)-(.+)", re.IGNORECASE | re.DOTALL)
_MAILTO = re.compile(r"mailto:(?://)?", re.IGNORECASE)
_AROUND = " '\"<>[]()"
_HEX = re.compile(rb"[+/]([0-9A-Fa-f]{2})")
_PLAIN = re.compile(rb"[^A-Za-z0-9=-]")


@dataclass(frozen=True, slots=True)
class Encapsulated:
    """The address inside an IMCEA local part, and of what kind it is."""

    scheme: Scheme
    address: str

    @property
    def internet_address(self) -> str | None:
        """The content as an Internet address, without brackets and prefixes that users and programs add; else None."""
        if self.scheme in ("NOTES", "EX"):
            return None
        if self.scheme == "SMTP":
            return self.address if Address.is_valid(self.address) else None
        *_, inside = self.address.strip(_AROUND).rpartition("<")
        bare = _MAILTO.sub("", inside, count=1).strip(_AROUND)
        return bare if Address.is_valid(bare) else None


def decode(local: str) -> Encapsulated | None:
    """Return the address inside an (unquoted) local part, or None if there is none or its bytes are not UTF-8."""
    found = _ENCAPSULATED.fullmatch(local)
    if not found:
        return None
    try:
        data = found[2].encode().replace(b"_", b"+2F")
        address = _HEX.sub(lambda byte: bytes.fromhex(byte[1].decode()), data).decode()
    except UnicodeError:
        return None
    return Encapsulated(cast("Scheme", found[1].upper()), address)


def encode(wrapped: Encapsulated) -> str:
    """Return the local part that wraps an address; `decode` restores it. Exchange writes a slash as `_` in EX."""
    slash = b"_" if wrapped.scheme == "EX" else b"+2F"
    data = _PLAIN.sub(
        lambda byte: slash if byte[0] == b"/" else b"+%02X" % ord(byte[0]),
        wrapped.address.encode(),
    )
    return f"IMCEA{wrapped.scheme}-{data.decode('ascii')}"
