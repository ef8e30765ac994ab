"""New MIME entities, all of them seven-bit: text, files, messages, multiparts (RFC 2045, 2046, 2183, 2231).

File names beyond ASCII are written twice: by RFC 2231 in the disposition, and as encoded words in the type's `name`,
where older programs look for them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from mimetypes import MimeTypes
from urllib.parse import quote

from shared.mail.encoded_words import encode_words
from shared.mail.header import fold
from shared.mail.transfer import encode_base64, encode_text, is_seven_bit

_TYPE = re.compile(
    r"\s*(?P<kind>[a-z0-9][\w.+-]{0,126}/[a-z0-9][\w.+-]{0,126})\s*(?:;\s*charset=(?P<charset>[\w.-]{1,40})\s*)?",
    re.ASCII | re.IGNORECASE,
)
_UNSAFE = re.compile(r'[\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028-\u202e\u2066-\u2069"\\]')
"""Forbidden in names: controls, and marks that reverse the direction of text, so that `gpj.exe` reads as `exe.jpg`."""
_CONTENT_ID = re.compile(r"[!-;=?-~]{1,900}")
_OCTETS = "application/octet-stream"
_OFFICE = "application/vnd.openxmlformats-officedocument."
_MAX_NAME = 200  # characters
_KNOWN = MimeTypes(filenames=())  # the same on every machine
for _ending, _known in {
    ".docx": f"{_OFFICE}wordprocessingml.document",
    ".xlsx": f"{_OFFICE}spreadsheetml.sheet",
    ".pptx": f"{_OFFICE}presentationml.presentation",
    ".msg": "application/vnd.ms-outlook",
    ".ics": "text/calendar",
    ".vcf": "text/vcard",
    ".eml": _OCTETS,
}.items():
    _KNOWN.add_type(_known, _ending)


@dataclass(frozen=True, slots=True)
class Part:
    """An entity: its header fields, each with CRLF, and its body, without the CRLF that a delimiter brings along."""

    fields: bytes
    body: bytes

    def __bytes__(self) -> bytes:
        return self.fields + b"\r\n" + self.body


def text_part(text: str, subtype: str = "plain", parameters: str = "") -> Part:
    """Return text as it may be shown. parameters: additional parameters of its type, with their semicolon."""
    charset, encoding, body = encode_text(text if text.endswith("\n") else f"{text}\n")
    charset = "utf-8" if subtype == "calendar" else charset  # RFC 5545 section 8.1
    fields = fold("Content-Type", f"text/{subtype}; charset={charset}{parameters}")
    return Part(fields + fold("Content-Transfer-Encoding", encoding), body)


def file_part(
    octets: bytes, content_type: str, name: str, content_id: str = "", location: str = "", *, inline: bool = False
) -> Part:
    """Return a file. content_type: as declared; if unspecific, it is derived from the name.

    Types that would be parsed as structure (a multipart, a message that is not seven-bit) become opaque bytes, because
    encoding them violates RFC 2046 section 5.2.1.
    """
    name = file_name(name)
    kind = _kind(content_type, name)
    plain = kind == "message/rfc822" and is_seven_bit(octets)
    if kind.startswith(("multipart/", "message/")) and not plain:
        kind = _OCTETS
    parameter = f'; name="{encode_words(name)}"' if name else ""
    fields = fold("Content-Type", kind + parameter)
    fields += fold("Content-Transfer-Encoding", "7bit" if plain else "base64")
    fields += fold("Content-Disposition", ("inline" if inline else "attachment") + _filename(name))
    if _CONTENT_ID.fullmatch(content_id):
        fields += fold("Content-ID", f"<{content_id}>")
    if location := _UNSAFE.sub("", location):
        fields += fold("Content-Location", encode_words(location))
    return Part(fields, octets if plain else encode_base64(octets).removesuffix(b"\r\n"))


def message_part(message: bytes, name: str) -> Part:
    """Return a seven-bit message as an attached one."""
    fields = fold("Content-Type", "message/rfc822")
    return Part(
        fields + fold("Content-Disposition", "attachment" + _filename(file_name(f"{name or 'message'}.eml"))), message
    )


def multipart(subtype: str, parts: Sequence[bytes], parameters: str = "", encoding: str = "7bit") -> Part:
    """Return the parts as one entity. encoding: 8bit where one of them is."""
    boundary = boundary_for(parts)
    fields = fold("Content-Type", f'multipart/{subtype}; boundary="{boundary}"{parameters}')
    if encoding != "7bit":
        fields += fold("Content-Transfer-Encoding", encoding)
    delimiter = b"--%s\r\n" % boundary.encode()
    inside = b"".join(b"%s%s\r\n" % (delimiter, part) for part in parts)
    return Part(fields, b"%s--%s--" % (inside, boundary.encode()))


def boundary_for(parts: Sequence[bytes]) -> str:
    """Return a boundary that is in none of the parts; equal parts give the same one."""
    digest = sha256(b"\0".join(parts)).hexdigest()[:32]
    while any(digest.encode() in part for part in parts):
        digest = sha256(digest.encode()).hexdigest()[:32]
    return f"=_tnef_{digest}"


def file_name(name: str) -> str:
    """Return a name that is only a name: no path, no control characters, of sensible length."""
    clean = _UNSAFE.sub("", re.split(r"[/\\]", name)[-1]).strip(" .")
    stem, dot, ending = clean.rpartition(".")
    if len(clean) <= _MAX_NAME:
        return clean
    return f"{stem[: _MAX_NAME - len(ending) - 1]}.{ending}" if dot and len(ending) < 20 else clean[:_MAX_NAME]


def _filename(name: str) -> str:
    if not name:
        return ""
    if name.isascii():
        return f'; filename="{name}"'
    return f"; filename*=utf-8''{quote(name, safe='')}"


def _kind(declared: str, name: str) -> str:
    found = _TYPE.fullmatch(declared)
    if found and found["kind"].lower() != _OCTETS:
        return found["kind"].lower() + (f"; charset={found['charset']}" if found["charset"] else "")
    return _KNOWN.guess_type(name)[0] or _OCTETS
