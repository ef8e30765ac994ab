"""The text of an .ndl part: a link to a Notes database, view or document.

Tagged text, no XML. Read in all its forms: ids as attributes (`<REPLICA 85…:00…>`) or closed tags
(`<REPLICA>85…:00…</REPLICA>`), and `ON…-OF…` for `OF…-ON…`. VIEW, NOTE, HINT and REM can be missing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_START = re.compile(r"<NDL>", re.IGNORECASE)
_LINK = re.compile(r"<NDL>(.*?)</NDL>", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<(REPLICA|VIEW|NOTE|HINT|REM)(?:\s++([^<>]*+))?>([^<]*+)", re.IGNORECASE)
_ID_NOISE = re.compile(r"[\s:-]+")
_HALVES = re.compile(r"(?:OF([0-9A-F]{16})ON([0-9A-F]{16})|ON([0-9A-F]{16})OF([0-9A-F]{16})|([0-9A-F]{32}))")
_REPLICA = re.compile(r"[0-9A-F]{16}")
_UNSEEN = re.compile("[\x00-\x20\x7f-\xa0\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]+")
_MAX_NAME = 200  # characters of a link's name that are shown


@dataclass(frozen=True, slots=True)
class DocLink:
    """What a link leads to. replica: 16 hex digits. view, note: 32, None where the link does not go so far.

    server: the common name of the server in HINT, "" where it names none. name: the REM on one line, else the title
    line up to its backslash; "" without either. title: the title line.
    """

    replica: str
    view: str | None = None
    note: str | None = None
    server: str = ""
    name: str = ""
    title: str = ""


def read_links(text: str) -> tuple[DocLink, ...]:
    """Return the links of an .ndl text, in order: nearly always one. None where any of them is broken or cut short."""
    links: list[DocLink] = []
    position = 0
    while start := _START.search(text, position):
        found = _LINK.match(text, start.start())
        link = _read(found[1], text[position : start.start()]) if found else None
        if found is None or link is None:
            return ()
        links.append(link)
        position = found.end()
    return tuple(links)


def shown(text: str) -> str:
    """Return text on one line, without what cannot be seen or would turn the line around."""
    return _UNSEEN.sub(" ", text).strip()[:_MAX_NAME].rstrip()


def _read(inside: str, before: str) -> DocLink | None:
    values: dict[str, str] = {}
    for found in _TAG.finditer(inside):
        value = found[2] if found[2] and found[2].strip() else found[3]
        values.setdefault(found[1].upper(), value)
    replica = _ID_NOISE.sub("", values.get("REPLICA", "")).upper()
    view, note = (_unid(values.get(name)) for name in ("VIEW", "NOTE"))
    if not _REPLICA.fullmatch(replica) or view == "" or note == "":
        return None
    title = shown(before)
    name = shown(values.get("REM", "")) or title.partition("\\")[0].strip()
    return DocLink(replica, view, note, _common_name(values.get("HINT", "")), name, title)


def _unid(value: str | None) -> str | None:
    """Return the 32 digits of an id, "" for a broken one, None for none."""
    if value is None:
        return None
    found = _HALVES.fullmatch(_ID_NOISE.sub("", value).upper())
    if not found:
        return ""
    return found[5] or (found[1] or found[4]) + (found[2] or found[3])


def _common_name(server: str) -> str:
    """Return the first part of `CN=server/OU=unit/O=organisation`, or of `server/unit/organisation`."""
    first = shown(server).partition("/")[0].strip()
    return first[3:].strip() if first[:3].upper() == "CN=" else first
