"""Content transfer encodings (RFC 2045 section 6): decoding, and the encoding of new text."""

from __future__ import annotations

import binascii
import re

IDENTITIES = frozenset(("", "7bit", "8bit", "binary"))
_UUENCODINGS = frozenset(("x-uuencode", "uuencode", "x-uue", "uue"))

_BASE64_LINE = 76  # characters (RFC 2045 section 6.8)
_MAX_LINE = 998  # bytes without CRLF (RFC 5322 section 2.1.1)
_NOT_BASE64 = bytes(set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"))
_LINE_END = re.compile(r"\r\n|\r|\n")
_UU_BEGIN = re.compile(rb"^begin [0-7]{3,4} [^\n]*\n", re.MULTILINE)


def decode(octets: bytes, encoding: str) -> bytes:
    """Return bytes in a transfer encoding decoded; an unknown encoding counts as none."""
    if encoding == "base64":
        return decode_base64(octets)
    if encoding == "quoted-printable":
        return binascii.a2b_qp(octets)
    if encoding in _UUENCODINGS:
        return _decode_uu(octets)
    return octets


def decode_base64(octets: bytes) -> bytes:
    """Return base64 decoded up to its padding; foreign characters are skipped and missing padding is supplied."""
    try:
        return binascii.a2b_base64(octets)
    except binascii.Error:
        digits = octets.partition(b"=")[0].translate(None, _NOT_BASE64)
        whole = digits[: -1 if len(digits) % 4 == 1 else None]
        return binascii.a2b_base64(whole + b"=" * (-len(whole) % 4))


def _decode_uu(octets: bytes) -> bytes:
    if not (begin := _UU_BEGIN.search(octets)):
        return octets
    decoded: list[bytes] = []
    for line in octets[begin.end() :].split(b"\n"):
        bare = line.rstrip(b"\r")
        if not bare or bare == b"end" or bare in (b"`", b" "):
            break
        try:
            decoded.append(binascii.a2b_uu(bare))
        except binascii.Error:  # some encoders write more characters than the stated length
            characters = (((bare[0] - 32) & 63) * 4 + 5) // 3
            try:
                decoded.append(binascii.a2b_uu(bare[:characters]))
            except binascii.Error:
                break
    return b"".join(decoded)


def encode_base64(octets: bytes) -> bytes:
    """Return the bytes in base64, in lines of 76 characters that each end with CRLF."""
    text = binascii.b2a_base64(octets, newline=False)
    lines = [text[at : at + _BASE64_LINE] for at in range(0, len(text), _BASE64_LINE)]
    return b"\r\n".join((*lines, b""))


def encode_quoted_printable(octets: bytes) -> bytes:
    """Return text with CRLF line ends as quoted-printable, in lines of at most 76 characters; its line ends stay."""
    encoded = binascii.b2a_qp(octets, istext=True)
    return encoded if b"\r\n" in octets else encoded.replace(b"=\n", b"=\r\n")


def is_seven_bit(octets: bytes) -> bool:
    """Whether the bytes are RFC 2045's 7bit: CRLF lines of at most 998 bytes, none of them NUL or above 127."""
    return (
        octets.isascii()
        and b"\0" not in octets
        and has_crlf_only(octets)
        and max(map(len, octets.split(b"\r\n"))) <= _MAX_LINE
    )


def has_crlf_only(octets: bytes) -> bool:
    """Whether every CR and every LF is part of a CRLF."""
    return octets.count(b"\r") == octets.count(b"\n") == octets.count(b"\r\n")


def encode_text(text: str) -> tuple[str, str, bytes]:
    """Return charset, transfer encoding and the encoded body, with CRLF lines, for new text.

    us-ascii in 7bit if possible and without escapes, which readers could mistake for ISO-2022-JP; else utf-8 in
    quoted-printable or base64, whichever is shorter.
    """
    octets = _LINE_END.sub("\r\n", text).encode("utf-8", "replace")
    if is_seven_bit(octets) and b"\x1b" not in octets:
        return "us-ascii", "7bit", octets
    quoted, based = encode_quoted_printable(octets), encode_base64(octets)
    if len(quoted) <= len(based):
        return "utf-8", "quoted-printable", quoted
    return "utf-8", "base64", based
