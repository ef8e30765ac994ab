"""Internal addresses inside a calendar text (RFC 5545), found without reading the calendar. Pure, linear in the text.

For calendars that were not converted: unreadable calendars, attached files, and calendars between two systems of the
same kind. Addresses are searched in every property except

- identifiers of meetings: UID, RELATED-TO and all names that end in UID or ID;
- prose and links: SUMMARY, DESCRIPTION, COMMENT, LOCATION, ATTACH, URL and similar;

and never in a `CID:`, which refers to a part of the message. An address may be folded anywhere.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate

from shared.routing.embedded import Embedded
from shared.routing.router import Router

_FOLD = re.compile(r"\r?\n[ \t]")
_ESCAPED_NEWLINE = re.compile(r"\\[nN]")
_CONTENT_ID = re.compile(r"""cid:<?[^\s<>";,]*""", re.IGNORECASE)
_PROSE = re.compile(
    r"(?:SUMMARY|DESCRIPTION|COMMENT|LOCATION|CATEGORIES|RESOURCES|ATTACH|URL|CONFERENCE|IMAGE|SOURCE|X-ALT-DESC"
    r"|RELATED-TO|TZID|[A-Z0-9-]*U?ID)[;:]",
    re.IGNORECASE,
)
_LINE = re.compile(r"[^\r\n]++")


def internal_calendar_addresses(text: str, router: Router) -> Iterator[Embedded]:
    """Yield the internal addresses of a calendar's people, in order; offsets are those of the text as it is folded."""
    if not router.topology.internal_text_pattern.search(unfolded := _FOLD.sub("", text)):
        return
    folds = [(found.start(), found.end() - found.start()) for found in _FOLD.finditer(text)]
    removed = [0, *accumulate(length for _, length in folds)]
    places = [start - gone for (start, _), gone in zip(folds, removed, strict=False)]

    def original(offset: int) -> int:
        return offset + removed[bisect_right(places, offset)]

    for found in router.internal_addresses(_readable(unfolded)):
        last = original(found.end - 1) + 1 if found.end > found.start else original(found.end)
        yield Embedded(original(found.start), last, found.public)


def _readable(unfolded: str) -> str:
    """Return the text with all parts masked, in place, that contain no address of a person."""

    def masked(line: re.Match[str]) -> str:
        if _PROSE.match(line[0]):
            return " " * len(line[0])
        without_ids = _CONTENT_ID.sub(lambda found: " " * len(found[0]), line[0])
        return _ESCAPED_NEWLINE.sub("  ", without_ids)

    return _LINE.sub(masked, unfolded)
