"""Which parts the HTML of a message shows in its text, by their Content-ID (RFC 2392).

Ids are compared opaquely: Notes writes ids with an empty domain, `<1__=8FBB…@>` and `src="cid:1__=8FBB…@"`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote

from services.transform.editing.text_body import TextBody, read_text
from services.transform.scope import OpenMessage

_URL = re.compile(r"(?<![A-Za-z0-9])cid:([^\s\"'<>()\\]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Mention:
    """A `cid:` URL in HTML.

    content_id: as a Content-ID says it, without brackets. end: where the id ends, a character offset into the text.
    """

    content_id: str
    end: int


def html_bodies(content: bytes, message: OpenMessage) -> list[TextBody]:
    """Return the HTML texts of a message that may be changed, none of those that are files attached to it."""
    parts = (part for part in message.parts if part.content_type == "text/html" and part.disposition != "attachment")
    return [body for part in parts if (body := read_text(content, part))]


def mentions(text: str) -> Iterator[Mention]:
    """Yield the `cid:` URLs of an HTML text in their order."""
    for found in _URL.finditer(text):
        yield Mention(unquote(found[1]), found.end())
