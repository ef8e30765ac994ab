"""What the entries of a calendar point at in other parts of their message (RFC 2392)."""

from __future__ import annotations

from services.transform.html.text import to_text
from shared.mail.body import decode_text
from shared.mail.mime import Entity

_MAX_CHARACTERS = 512 * 1024  # of one text


class RelatedParts:
    """The parts of a message that a calendar may refer to, found by their Content-ID.

    A text is read once, however many entries refer to it, and given out at most `characters` in all: entries that refer
    to one long text must not make a message that is thousands of times as long.
    """

    def __init__(self, content: bytes, root: Entity, characters: int = 8 * 1024 * 1024) -> None:
        self._content = content
        self._left = characters
        self._texts: dict[int, tuple[str, str]] = {}
        self._by_id: dict[str, Entity] = {}
        for one in root.walk():
            if one.content_id and not one.is_protected:
                self._by_id.setdefault(one.content_id, one)

    def find(self, reference: str) -> Entity | None:
        """Return the part of that Content-ID, compared opaquely but for `cid:`, brackets and blanks around it."""
        wanted = reference.strip()
        wanted = (wanted[4:] if wanted[:4].lower() == "cid:" else wanted).strip("<> ")
        return self._by_id.get(wanted)

    def text(self, part: Entity) -> tuple[str, str]:
        """Return the text of a part, and what it says without markup; both "" once too much was given out."""
        if part.start not in self._texts:
            text = decode_text(self._content, part)[:_MAX_CHARACTERS]
            self._texts[part.start] = text, to_text(text) if part.content_type == "text/html" else text
        found = self._texts[part.start]
        self._left -= len(found[0])
        return found if self._left >= 0 else ("", "")
