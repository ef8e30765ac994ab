"""Removes the appearance of a memo in Notes (mood, letterhead, colours), which other clients cannot show.

Domino writes items without a header field of their own as `X-Notes-Item: <value>; type=4; name=<item>`. Items that only
describe the memo's appearance have no meaning in Outlook and clutter the internet headers.

Removed, by the name of the item, with or without its `$`: mood (Mood, Moods, SenderTag, _ViewIcon), letterhead (Logo,
LetterHead, MailStationeryName, Stationery…), colour (Color, Colour, BackgroundColor, StatusColor, _Color…).

Kept on purpose:

- every other `X-Notes-Item` ($TUA, $REF and their like): Notes restores them when the mail comes back, as an attached
  or a returned message, and they place it in its thread. `notes_headers` handles blind copies;
- `X-KeepSent`: identifies the sent copy by the id in Message-ID; it ties a thread together and reveals nothing else;
- `X-MIMETrack`: records which server converted the memo, as `Received` does for transport. Administrators use it, Notes
  keeps it as $MIMETrack, and no client shows it.

Only the header of the message itself is changed; attached messages stay as sent.
"""

from __future__ import annotations

import re

from services.transform.pipeline import Context, Step, StepMessage
from services.transform.scope import leaves_notes
from shared.mail.edits import Edit
from shared.mail.header import Field

DROPPED_ITEMS = frozenset(
    {
        *("mood", "moods", "sendertag", "_viewicon"),
        *("logo", "letterhead", "stationery", "stationeryname", "mailstationeryname"),
        *("color", "colour", "_color", "backgroundcolor", "bgcolor", "fontcolor", "statuscolor", "sendercolor"),
    }
)

_ITEM_NAME = re.compile(rb";name=\"?\$?([^;\"]+)", re.IGNORECASE)
_WHITESPACE = re.compile(rb"\s+")


def item_name(field: Field, content: bytes) -> str:
    """Return the name of the item in an `X-Notes-Item`, in lower case and without its `$`, "" if there is none.

    Relays fold anywhere in it, so blanks are ignored.
    """
    found = _ITEM_NAME.search(b";" + _WHITESPACE.sub(b"", field.raw(content)))
    return found[1].decode("latin-1").lower() if found else ""


def _applies(message: StepMessage, context: Context) -> bool:
    return leaves_notes(context) and message.root.find("x-notes-item") is not None


def _edits(message: StepMessage, _context: Context) -> tuple[Edit, ...]:
    return tuple(
        Edit(field.start, field.end, b"")
        for field in message.root.all("x-notes-item")
        if item_name(field, message.content) in DROPPED_ITEMS
    )


STEP = Step(
    name="appearance",
    description="Mood stamps, letterheads and colours of a memo are removed for clients that cannot show them.",
    applies=_applies,
    change=_edits,
    on_failure="pass",
)
