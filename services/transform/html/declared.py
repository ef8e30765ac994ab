"""The charset that an HTML text itself declares (RFC 6657 section 3; WHATWG HTML, section 13.2.3.2)."""

from __future__ import annotations

import re

_SEARCHED = 4096  # bytes; browsers look at 1024
_COMMENT = re.compile(rb"<!--.*?-->", re.DOTALL)
_META = re.compile(rb"""<meta\b[^>]{0,400}?\bcharset\s{0,9}=\s{0,9}["']?([A-Za-z0-9][\w.:+-]{0,40})""", re.IGNORECASE)
_XML = re.compile(rb"""\A\s{0,9}<\?xml\b[^>]{0,200}?\bencoding\s{0,9}=\s{0,9}["']([A-Za-z][\w.-]{0,40})""")


def declared_charset(octets: bytes) -> str | None:
    """Return the charset of a `meta` element, else of an XML declaration, as it is written; None without any."""
    head = _COMMENT.sub(b"", octets[:_SEARCHED])
    found = _META.search(head) or _XML.match(head)
    return found[1].decode("ascii") if found else None
