r"""HTML and plain text taken back out of the RTF that wraps them (MS-OXRTFEX section 2.2.3).

Outlook keeps an HTML body as RTF: `\fromhtml1` in its header, each piece of markup in `{\*\htmltag …}`, and text for
RTF readers only between `\htmlrtf` and `\htmlrtf0`. The rest is text of the HTML, entities included.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from services.transform.tnef.rtf import read_rtf

_FROM_HTML = re.compile(rb"\\fromhtml1?(?![0-9])")
_FROM_TEXT = re.compile(rb"\\fromtext(?![0-9])")
_HEADER_OCTETS = 2048  # the sign stands before the font table ends (section 2.2.3.1 asks for the first ten tokens)
_NO_TEXT = frozenset(
    ("fonttbl", "colortbl", "stylesheet", "info", "pict", "object", "header", "footer", "listtable", "pntext")
)
_BREAKS = {"par": "\r\n", "line": "\r\n"}
# Outside of markup these characters were entities in the HTML (section 2.1.3.1.4.2 and its table).
_ENTITIES = str.maketrans(
    {
        "\u00a0": "&nbsp;",
        "\u00ad": "&shy;",
        "\u2018": "&lsquo;",
        "\u2019": "&rsquo;",
        "\u201c": "&ldquo;",
        "\u201d": "&rdquo;",
        "\u2022": "&bull;",
        "\u2013": "&ndash;",
        "\u2014": "&mdash;",
    }
)


class _Group(NamedTuple):
    r"""What a closing brace restores. starts: nothing but `\*` has been read in it."""

    is_silent: bool = False
    is_markup: bool = False
    is_hidden: bool = False
    is_optional: bool = False
    starts: bool = False


def wraps_html(rtf: bytes) -> bool:
    """Whether the RTF encapsulates HTML."""
    return _FROM_HTML.search(rtf, 0, _HEADER_OCTETS) is not None


def wraps_text(rtf: bytes) -> bool:
    """Whether the RTF encapsulates plain text."""
    return _FROM_TEXT.search(rtf, 0, _HEADER_OCTETS) is not None


def unwrap(rtf: bytes) -> str:
    """Return the HTML, or the plain text, that the RTF wraps."""
    is_html = wraps_html(rtf)
    out: list[str] = []
    group = _Group()
    groups: list[_Group] = []
    for kind, text, number in read_rtf(rtf):
        if kind == "open":
            groups.append(group)
            group = group._replace(starts=True, is_optional=False)
        elif kind == "close":
            group = groups.pop() if groups else group
        elif kind == "text":
            if not group.is_silent and not group.is_hidden:
                out.append(text if group.is_markup or not is_html else text.translate(_ENTITIES))
            group = group._replace(starts=False) if group.starts else group
        elif text == "*":
            group = group._replace(is_optional=True)
        elif text == "htmlrtf":
            group = group._replace(is_hidden=number != 0)
        elif group.starts and group.is_optional:
            is_markup = text == "htmltag" and not group.is_silent
            group = group._replace(starts=False, is_markup=is_markup, is_silent=not is_markup)
        elif group.starts and text in _NO_TEXT:
            group = group._replace(starts=False, is_silent=True)
        else:
            group = group._replace(starts=False) if group.starts else group
            if text in _BREAKS and not group.is_silent and not group.is_hidden:
                out.append(_BREAKS[text])
    return "".join(out)
