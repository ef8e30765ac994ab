"""Encoded words: text of any script in header fields (RFC 2047).

Quirks: some senders split a character between two words, so the bytes of neighbouring words of one charset are joined
before they are decoded; if that fails, each word is decoded alone. Some leave blanks inside a word.
"""

from __future__ import annotations

import binascii
import re

from shared.mail import charset as charsets
from shared.mail.transfer import decode_base64

_WORD = re.compile(r"=\?([^?\s]+)\?([bBqQ])\?([^?\r\n]*)\?=")
_PLAIN = re.compile(r"[ -~\t]*")
_UTF8_CHARACTER = re.compile(rb"[\x00-\x7f]|[\xc0-\xff][\x80-\xbf]{0,3}|[\x80-\xbf]")
_WORD_LENGTH = (
    56  # at most 75, lines at most 76 (RFC 2047 section 2): the first word shares its line with the field's name
)
_Q_SAFE = frozenset(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/"
)  # section 5 (3): right in a phrase too


def decode_words(text: str) -> str:
    """Return header text with its encoded words decoded. Never fails.

    Words of a charset that is not known, and those that hold a byte that is no character in it, stay as they are.
    """
    out: list[str] = []
    position = 0
    run: list[re.Match[str]] = []
    for found in _WORD.finditer(text):
        between = text[position : found.start()]
        if run and not between.strip(" \t\r\n"):
            if _charset(run[-1]) != _charset(found):
                out.append(_decode_run(text, run))
                run = []
        else:
            out += [_decode_run(text, run), between]
            run = []
        run.append(found)
        position = found.end()
    return "".join([*out, _decode_run(text, run), text[position:]])


def _charset(word: re.Match[str]) -> str:
    return word[1].partition("*")[0].lower()  # a language may follow (RFC 2231 section 5)


def _decode_run(text: str, run: list[re.Match[str]]) -> str:
    if not run:
        return ""
    charset = _charset(run[0])
    words = list(map(_octets, run))
    decoded = charsets.decode(b"".join(words), charset)
    if decoded is None and len(words) > 1:
        each = [charsets.decode(word, charset) for word in words]
        decoded = None if None in each else "".join(word for word in each if word)
    return text[run[0].start() : run[-1].end()] if decoded is None else decoded


def _octets(word: re.Match[str]) -> bytes:
    raw = word[3].encode("utf-8", "surrogateescape")
    return decode_base64(raw) if word[2] in "bB" else binascii.a2b_qp(raw, header=True)


def encode_words(text: str) -> str:
    """Return text that is safe in a new header field: plain ASCII as it is, anything else as UTF-8 encoded words.

    Words are at most 56 characters, separated by a space, where `fold` breaks lines. Controls, including line ends, and
    text that looks like an encoded word are encoded too. `decode_words` restores any Unicode text.
    """
    if _PLAIN.fullmatch(text) and "=?" not in text:
        return text
    octets = text.encode("utf-8", "surrogateescape")
    quoted = sum(1 if octet in _Q_SAFE or octet == 0x20 else 3 for octet in octets)
    return " ".join(_q_words(octets) if quoted <= len(octets) * 4 // 3 else _b_words(octets))


def encode_bytes(octets: bytes, charset: str) -> str:
    """Return the bytes of text as encoded words of a charset, in the form and length of those of `encode_words`."""
    return " ".join(_q_words(octets, charset))


def _b_words(octets: bytes) -> list[str]:
    room = (_WORD_LENGTH - len("=?utf-8?b??=")) // 4 * 3
    words, chunk = [], b""
    for character in _UTF8_CHARACTER.findall(octets):
        if len(chunk) + len(character) > room:
            words.append(chunk)
            chunk = b""
        chunk += character
    return [f"=?utf-8?b?{binascii.b2a_base64(word, newline=False).decode()}?=" for word in [*words, chunk]]


def _q_words(octets: bytes, charset: str = "utf-8") -> list[str]:
    room = _WORD_LENGTH - len(f"=?{charset}?q??=")
    words, chunk = [], ""
    for character in _UTF8_CHARACTER.findall(octets):
        coded = "".join(
            "_" if octet == 0x20 else chr(octet) if octet in _Q_SAFE else f"={octet:02X}" for octet in character
        )
        if len(chunk) + len(coded) > room:
            words.append(chunk)
            chunk = ""
        chunk += coded
    return [f"=?{charset}?q?{word}?=" for word in [*words, chunk]]
