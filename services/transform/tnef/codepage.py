"""Windows code pages by number, decoded by the same codecs as the charsets of mail."""

from __future__ import annotations

from shared.mail import charset as charsets

# Numbers that are not in the name of a codec (Windows' list of code page identifiers); 28591 to 28606 are ISO 8859.
_NAMES = {
    708: "iso-8859-6",
    1200: "utf-16-le",
    1201: "utf-16-be",
    10000: "mac-roman",
    20127: "us-ascii",
    20866: "koi8-r",
    20932: "euc-jp",
    21866: "koi8-u",
    50220: "iso-2022-jp",
    50221: "iso-2022-jp",
    50222: "iso-2022-jp",
    50225: "iso-2022-kr",
    51932: "euc-jp",
    51936: "gb18030",
    51949: "euc-kr",
    52936: "hz-gb-2312",
    54936: "gb18030",
    65000: "utf-7",
    65001: "utf-8",
}


def charset(codepage: int) -> str:
    """Return the charset that a code page is in mail; one that nobody knows gives a name that nobody knows."""
    if 28591 <= codepage <= 28606:
        return f"iso-8859-{codepage - 28590}"
    return {936: "gb18030", **_NAMES}.get(codepage, f"cp{codepage}")


def decode(octets: bytes, codepage: int) -> str:
    """Return the octets as text, undecodable ones as U+FFFD; of an unknown code page as UTF-8, else Windows-1252."""
    text = None if codepage == 20127 else charsets.decode(octets, charset(codepage))
    return charsets.guess(octets) if text is None else text
