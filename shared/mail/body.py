"""The body of an entity: its bytes without transfer encoding, and its text."""

from __future__ import annotations

from shared.mail import charset as charsets
from shared.mail.mime import Entity
from shared.mail.transfer import decode


def decode_body(content: bytes, entity: Entity) -> bytes:
    """Return the octets of the entity's body without its transfer encoding; of a damaged one, what can be read."""
    return decode(content[entity.body_start : entity.end], entity.transfer_encoding)


def decode_text(content: bytes, entity: Entity) -> str:
    """Return the body as text, its line ends as they are. Undecodable octets become U+FFFD.

    Text of an unknown charset, and text that claims US-ASCII and is not, is read as UTF-8 where valid, else as
    Windows-1252.
    """
    octets = decode_body(content, entity)
    charset = entity.parameters.get("charset", "us-ascii")
    text = None if charsets.codec(charset) == "ascii" else charsets.decode(octets, charset)
    return charsets.guess(octets) if text is None else text
