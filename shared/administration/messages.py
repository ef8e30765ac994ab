"""One message: its history, its original content, and what its edits changed."""

from __future__ import annotations

from dataclasses import dataclass

from shared.administration.installation import Installation
from shared.errors import CausewayError
from shared.history.base import HistoryEvent
from shared.mail.edits import Edits
from shared.spool.history import read_history
from shared.spool.lease import contents


@dataclass(frozen=True, slots=True)
class Replacement:
    """One edit, readable: the bytes of the original from `start` that were replaced, and what replaced them."""

    start: int
    original: bytes
    replacement: bytes


def message_history(installation: Installation, id: str) -> list[HistoryEvent]:
    """Return the events of a message, by its id or that of one of its deliveries; oldest first; [] if unknown."""
    return installation.spool.run(read_history(id)) or installation.spool.run(read_history(id.partition("-")[0]))


def original_content(installation: Installation, message_id: str) -> bytes:
    """Return the original bytes of a message. Raises CausewayError where they no longer exist."""
    (content,) = installation.spool.run(contents([message_id]))
    if content is None:
        raise CausewayError(f"{message_id}: its content no longer exists")
    return content


def replacements(content: bytes, edits: Edits) -> list[Replacement]:
    """Return each edit of a content with the bytes that it replaced."""
    return [Replacement(edit.start, content[edit.start : edit.end], edit.replacement) for edit in edits]
