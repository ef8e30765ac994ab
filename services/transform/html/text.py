"""The readable text of an HTML body, for the places that take text only; and the charset that an HTML body claims."""

from __future__ import annotations

import re
from html import unescape
from urllib.parse import unquote

_BLOCKS = frozenset(
    (
        *("address", "blockquote", "br", "div", "dl", "dt", "dd", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol"),
        *("p", "pre", "table", "tr", "ul"),
    )
)
_SILENT = frozenset(("head", "script", "style", "title"))
_PIECE = re.compile(r"<(?P<end>/?)(?P<name>[a-zA-Z][\w:-]{0,30}+)[^<>]*+>|<[!?][^<>]*+>|(?P<text>[^<]++|<)")
_COMMENT = "<!--"
_ALT = re.compile(r"""\salt\s{0,4}=\s{0,4}(?:"([^"]*)"|'([^']*)')""", re.IGNORECASE)
_SOURCE = re.compile(r"""(?:\b(?:src|background)\s{0,4}=\s{0,4}["']?|\burl\(["']?)([^"'<>\s)]++)""", re.IGNORECASE)
_BLANKS = re.compile(r"[ \t\r\n\f]+")
_LINES = re.compile(r"\n{3,}")
_META_CHARSET = re.compile(r"""(<meta\b[^>]{0,200}?\bcharset\s{0,4}=\s{0,4}["']?)[\w.:-]{1,40}""", re.IGNORECASE)


def to_text(html: str) -> str:
    """Return the visible text of the HTML, one line per block, without markup. Accepts any text; linear time."""
    out: list[str] = []
    silent = ""  # the element whose text is hidden, until its end tag
    for piece in _PIECE.finditer(_without_comments(html)):
        name = (piece["name"] or "").lower()
        if silent:
            silent = "" if piece["end"] and name == silent else silent
        elif piece["text"]:
            out.append(_BLANKS.sub(" ", piece["text"]))
        elif name in _SILENT and not piece["end"]:
            silent = name
        elif name in _BLOCKS:
            out.append("\n")
        elif name in ("td", "th"):
            out.append(" ")
        elif name == "img" and (alt := _ALT.search(piece[0])):
            out.append(alt[1] or alt[2] or "")
    lines = (_BLANKS.sub(" ", line).strip(" ") for line in "".join(out).split("\n"))
    return unescape(_LINES.sub("\n\n", "\n".join(lines))).replace("\u00a0", " ").strip("\n ")


def claim_utf8(html: str) -> str:
    """Return the HTML with its own claim of a charset, if it has one, made true for the part it is written into."""
    return _META_CHARSET.sub(r"\g<1>utf-8", html, count=2)


def references(html: str) -> frozenset[str]:
    """Return what pictures the HTML shows: bare content ids of `cid:` links, and whole sources."""
    found = {unescape(reference) for reference in _SOURCE.findall(html)}
    return frozenset(unquote(match[4:]) if match[:4].lower() == "cid:" else match for match in found)


def _without_comments(html: str) -> str:
    kept: list[str] = []
    position = 0
    while (start := html.find(_COMMENT, position)) >= 0:
        kept.append(html[position:start])
        end = html.find("-->", start + len(_COMMENT))
        position = len(html) if end < 0 else end + 3
    return "".join([*kept, html[position:]])
