"""What goes on the wire after DATA: transparent dots and the final dot (RFC 5321 section 4.5.2).

The content is one that `shared.mail.line_ends.normalize` has processed: a bare CR or LF is never sent (CVE-2023-51764).
"""

from __future__ import annotations

import re

END_OF_DATA = b".\r\n"
_LEADING_DOT = re.compile(rb"\n\.")  # several times as fast as `in` where there are many lines


def terminated(content: bytes) -> bytes:
    """Return normalized content that ends with a line end, as DATA demands."""
    return content if content.endswith(b"\r\n") or not content else content + b"\r\n"


def stuffed(content: bytes) -> bytes:
    """Return normalized content with each line's leading dot doubled; the same object where no line has one."""
    if _LEADING_DOT.search(content):
        content = content.replace(b"\n.", b"\n..")
    return b"." + content if content.startswith(b".") else content
