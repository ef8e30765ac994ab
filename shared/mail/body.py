"""The body of an entity: its bytes without transfer encoding, and its text."""

from __future__ import annotations

from shared.mail.charset import decode as decode_as
from shared.mail.charset import find, guess, is_ascii, show
from shared.mail.mime import Entity
from shared.mail.transfer import decode
from shared.mail.unlabelled import recognise


def decode_body(content: bytes, entity: Entity) -> bytes:
    """Return the bytes of the entity's body without its transfer encoding; as much as is readable if damaged."""
    return decode(content[entity.body_start : entity.end], entity.transfer_encoding)


def decode_text(content: bytes, entity: Entity) -> str:
    """Return the body as text for display, line ends unchanged. Never fails, and never replaces a byte with U+FFFD.

    The charset of text whose label is unknown, or wrongly US-ASCII, is detected from its bytes, else Windows-1252.
    """
    octets = decode_body(content, entity)
    label = entity.parameters.get("charset", "us-ascii")
    if is_ascii(label) or find(label) is None:
        shown = recognise(octets)
        text = decode_as(octets, shown) if shown else None
        return guess(octets) if text is None else text
    return show(octets, find(label))
