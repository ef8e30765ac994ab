"""The ids that tie a message to its thread, as RFC 5322 section 3.6.4 writes them, in `References` and `In-Reply-To`.

- Notes can leave out the blank between two ids: it is put back.
- Relays fold inside an id, which breaks it for every reader: the fold is taken out, with the one blank it brought.
- A `References` of more than 998 bytes is shortened as RFC 5537 section 3.4.4 says: the first id, which names the
  thread, and the last ones, which place the message in it, stay. Exchange refuses messages by the size of their header.

An id is never changed otherwise, nor invented; text that is no id stays where it is, but for a list that is shortened.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from services.transform.pipeline import Context, Step, StepMessage
from services.transform.scope import leaves_notes
from shared.mail.edits import Edit, apply
from shared.mail.header import Field

MAX_OCTETS = 998
"""Of a References field without folding; RFC 5537 section 3.4.4 takes the limit of a line."""

FEWEST_LAST = 3
"""Ids at the end that stay beside the first, however long they are."""

_NAME = b"References:"
_FIELDS = ("references", "in-reply-to")
_ID = re.compile(rb"<[^<>]*+>")
_FOLD = re.compile(rb"\r?\n[ \t]")
_WHOLE_ID = re.compile(rb"<[^\s<>@]++@[^\s<>@]*+>")


def _mended(raw: bytes) -> Iterator[Edit]:
    """Yield what parts neighbouring ids, and what takes folds out of them; offsets are those of the value."""
    before = None
    for found in _ID.finditer(raw):
        if before == found.start():
            yield Edit(found.start(), found.start(), b"\r\n ")
        before = found.end()
        if _WHOLE_ID.fullmatch(_FOLD.sub(b"", found[0])):
            for fold in _FOLD.finditer(raw, found.start(), found.end()):
                yield Edit(fold.start(), fold.end(), b"")


def _shortened(raw: bytes) -> bytes:
    """Return a mended value that is not too long, one id a line: the first and as many of the last as fit."""
    ids = _ID.findall(raw)
    if len(_NAME) + len(_FOLD.sub(b" ", raw)) <= MAX_OCTETS or len(ids) <= 1 + FEWEST_LAST:
        return raw
    room = MAX_OCTETS - len(_NAME) - len(ids[0]) - 1
    last: list[bytes] = []
    for identifier in reversed(ids[1:]):
        room -= len(identifier) + 1
        if room < 0 and len(last) >= FEWEST_LAST:
            break
        last.append(identifier)
    return b"\r\n".join(b" " + identifier for identifier in (ids[0], *reversed(last)))


def _field_edits(field: Field, content: bytes) -> Iterator[Edit]:
    raw, start = field.raw(content), field.value_start
    mends = list(_mended(raw))
    mended = apply(raw, mends)
    if field.name == "references" and (shortened := _shortened(mended)) is not mended:
        yield Edit(start, start + len(raw), shortened)
    else:
        yield from (Edit(start + mend.start, start + mend.end, mend.replacement) for mend in mends)


def _applies(message: StepMessage, context: Context) -> bool:
    return leaves_notes(context) and any(map(message.root.find, _FIELDS))


def _edits(message: StepMessage, _context: Context) -> tuple[Edit, ...]:
    content = message.content
    return tuple(
        edit for field in message.root.fields if field.name in _FIELDS for edit in _field_edits(field, content)
    )


STEP = Step(
    name="references",
    description="Message ids in References are separated and unfolded; a very long list is shortened in the middle.",
    applies=_applies,
    change=_edits,
    on_failure="pass",
)
