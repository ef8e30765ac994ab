"""Windows code pages by number, decoded by the same codecs as the charsets of mail."""

from __future__ import annotations

from shared.mail.charset import find_code_page, guess, show

_US_ASCII = 20127


def decode(octets: bytes, codepage: int) -> str:
    """Return the bytes as text; of an unknown code page as UTF-8, else Windows-1252. Never fails.

    Bytes that stand for no character are shown as Windows-1252.
    """
    return guess(octets) if codepage == _US_ASCII else show(octets, find_code_page(codepage))
