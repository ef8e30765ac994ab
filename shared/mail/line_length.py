"""Lines longer than SMTP allows (RFC 5321 section 4.5.3.1.6), broken as Postfix breaks them.

Postfix (`smtp_line_length_limit`) inserts CRLF and a blank after every 998 bytes; hosts that take such lines at all cut
them or refuse the message. Unlike Postfix this keeps the bytes of a UTF-8 character together.
"""

from __future__ import annotations

from collections.abc import Iterator

from shared.errors import MalformedMessage
from shared.mail.edits import Edit, Edits
from shared.mail.mime import Entity, parse

MAX_LINE_BYTES = 998
"""Without CRLF."""
_BREAK = b"\r\n "


def wrap_long_lines(content: bytes) -> Edits:
    """Return the edits that break each line of more than 998 bytes; none inside a signed or encrypted part.

    content: with CRLF line ends. A message that `parse` does not take stays as it is, since it may be signed.
    """
    lines = list(_long_lines(content))
    if not lines:
        return ()
    try:
        untouchable = list(_protected(parse(content)))
    except MalformedMessage:
        return ()
    edits: list[Edit] = []
    for start, end in lines:
        while untouchable and untouchable[0][1] <= start:
            untouchable.pop(0)
        if not untouchable or end <= untouchable[0][0]:
            edits += _breaks(content, start, end)
    return edits


def _long_lines(content: bytes) -> Iterator[tuple[int, int]]:
    """Yield where each long line starts and ends. Reads no byte of the others but their last."""
    start, size = 0, len(content)
    while size - start > MAX_LINE_BYTES:
        line_feed = content.rfind(b"\n", start, start + MAX_LINE_BYTES + 2)
        if line_feed < 0:
            line_feed = content.find(b"\n", start)
            end = size if line_feed < 0 else line_feed - 1
            if end - start > MAX_LINE_BYTES:
                yield start, end
            if line_feed < 0:
                return
        start = line_feed + 1


def _breaks(content: bytes, start: int, end: int) -> Iterator[Edit]:
    room = MAX_LINE_BYTES
    while end - start > room:
        start = _between_characters(content, start + room)
        yield Edit(start, start, _BREAK)
        room = MAX_LINE_BYTES - 1  # the blank


def _between_characters(content: bytes, position: int) -> int:
    for earlier in range(position, position - 4, -1):
        if content[earlier] & 0xC0 != 0x80:
            return earlier
    return position  # not UTF-8


def _protected(root: Entity) -> Iterator[tuple[int, int]]:
    """Yield the spans that a signature or encryption covers, in order; the header of a message itself is in none."""
    waiting = [root]
    while waiting:
        entity = waiting.pop()
        if entity.is_protected:
            yield (entity.body_start if entity is root else entity.start), entity.end
        else:
            waiting += reversed(entity.children)
