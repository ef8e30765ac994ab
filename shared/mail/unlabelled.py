"""Charset detection for text without a label, or with a wrong one: only if the bytes allow a single reading.

ISO-2022-JP is recognised by its escapes and UTF-8 by its form. Windows-1252 has no mark: nearly all bytes are valid in
it. It is returned only if each byte above 127 is the same character in the Windows code pages of all Latin scripts, and
occurs where only that character makes sense: an umlaut beside a letter, a quotation mark before a word. The charset of
Czech, Polish, Turkish, Lithuanian, French, or short Russian text cannot be detected.
"""

from __future__ import annotations

import re

from shared.mail.charset import decode, find, is_ascii, is_latin_1

WINDOWS_1252 = "windows-1252"

_C1 = re.compile(rb"[\x80-\x9f]")
_JIS_ESCAPE = re.compile(rb"\x1b(?:\$[@B]|\$\([BD]|\(I)")
# Four successive bytes above 127 are no Western text but Cyrillic, Greek, Japanese or Chinese. The signs ƒ † ‡ ˆ ‰ ˜ ™
# are not followed by letters, as it may seem in Shift_JIS.
_NOT_WESTERN = re.compile(rb"[\x80-\xff]{4}|[\x83\x86-\x89\x98\x99][\x80-\xff]|\x1b|\0")

# Letters that Windows-1250, -1252, -1254 and -1257 have at the same place: Ä É Ö Ü ß ä é ö ü.
_LETTER = rb"[\xc4\xc9\xd6\xdc\xdf\xe4\xe9\xf6\xfc]"
_NO_TRAIL = rb"(?![\x40-\x7e\x80-\xff])"  # what follows is no second byte of an East Asian character
_AGREED = re.compile(
    rb"(?<=[A-Za-z])[\xe4\xf6\xfc]\xdf(?![\x80-\xff])"  # größer, Füße
    rb"|(?<=[A-Za-z])" + _LETTER + rb"(?![\x80-\xff])"
    rb"|(?<![\x80-\xff])" + _LETTER + rb"(?=[a-z])"
    rb"|(?:(?<=[\s(\[>])|\A)[\x82\x84\x91\x93\xab](?=[A-Za-z0-9])"  # an opening quotation mark
    rb"|(?<=[A-Za-z0-9.,!?;:)>])(?:[\x91-\x94\xbb]|\x85\x93?)"
    + _NO_TRAIL
    + rb"|(?<=[A-Za-z])\x92(?=(?:s|t|re|ve|ll|d|m)\b)"
    rb"|(?<=[ 0-9])[\x96\x97](?=[ 0-9])"
    rb"|(?<=[ 0-9])\x80" + _NO_TRAIL + rb"|(?<=[\s0-9(])[\x95\xa0\xa7\xa9\xae\xb0\xb1\xb5\xb7]" + _NO_TRAIL
)


def recognise(octets: bytes, *claims: str | None) -> str | None:
    """Return the charset of text without a label, or None if it is not certain.

    claims: charsets from other sources than the label, such as the HTML itself or the configuration, in order. The
    first that is possible is returned as it is written.
    """
    if b"\x1b" in octets:
        is_japanese = _JIS_ESCAPE.search(octets) and decode(octets, "iso-2022-jp") is not None
        return "iso-2022-jp" if is_japanese else None
    if octets.isascii():
        return None
    if decode(octets, "utf-8") is not None:
        return "utf-8"
    for claim in claims:
        if claim and _can_be(octets, claim):
            return claim
    return WINDOWS_1252 if _is_agreed(octets) else None


def _can_be(octets: bytes, claim: str) -> bool:
    charset = find(claim)
    if charset is None or is_ascii(claim) or not charset.is_ascii_based or decode(octets, claim) is None:
        return False
    is_iso = claim.lower().startswith("iso-8859") or is_latin_1(claim)
    return not (is_iso and _C1.search(octets))  # control characters that text does not use


def _is_agreed(octets: bytes) -> bool:
    return _NOT_WESTERN.search(octets) is None and _AGREED.sub(b"", octets).isascii()


def is_windows_1252_as_latin_1(octets: bytes) -> bool:
    """Whether text that declares ISO-8859-1 has to be read as Windows-1252: it uses bytes that are controls there."""
    return _C1.search(octets) is not None and _NOT_WESTERN.search(octets) is None


def read_unlabelled(octets: bytes, nearby: str | None = None, default: str | None = None) -> str | None:
    """Return bytes as text by the detected charset, else by that of neighbouring text, else by the default.

    None if none of them can decode the bytes, and for escapes of an unknown charset.
    """
    found = recognise(octets)
    if found in ("iso-2022-jp", "utf-8"):
        return decode(octets, found)
    if b"\x1b" in octets:
        return None
    if octets.isascii():
        return octets.decode("ascii")
    for claim in (nearby, default):
        if claim and is_latin_1(claim) and _NOT_WESTERN.search(octets) is None:
            return decode(octets, WINDOWS_1252)
        if claim and _can_be(octets, claim):
            return decode(octets, claim)
    return decode(octets, found) if found else None
