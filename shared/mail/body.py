"""The body of an entity: its bytes without transfer encoding, and its text."""

from __future__ import annotations

from shared.mail.charset import decode as decode_as
from shared.mail.charset import find, guess, is_ascii, show
from shared.mail.mime import Entity
from shared.mail.transfer import decode
from shared.mail.unlabelled import recognise


def decode_body(content: bytes, entity: Entity) -> bytes:
    """Return the bytes of the entity's body without its transfer encoding; of a damaged one, what can be read."""
    return decode(content[entity.body_start : entity.end], entity.transfer_encoding)


def decode_text(content: bytes, entity: Entity) -> str:
    """Return the body as text to look at, its line ends as they are. Never fails, and never gives U+FFFD for a byte.

    Text of an unknown charset, and text that claims US-ASCII and is not, is read by what its bytes show, else as
    Windows-1252.
    """
    octets = decode_body(content, entity)
    label = entity.parameters.get("charset", "us-ascii")
    if is_ascii(label) or find(label) is None:
        shown = recognise(octets)
        text = decode_as(octets, shown) if shown else None
        return guess(octets) if text is None else text
    return show(octets, find(label))
