"""What goes on the wire after DATA: CRLF line ends, transparent dots, the final dot (RFC 5321 sections 2.3.8, 4.5.2).

Content whose line ends are all CRLF arrives byte for byte; a bare CR or LF never leaves (CVE-2023-51764).
"""

from __future__ import annotations

import re

_BARE = re.compile(rb"\r\n|\r|\n")
END_OF_DATA = b".\r\n"


def canonical(content: bytes) -> bytes:
    """Return the content with every line end CRLF; the same object where they are so already."""
    pairs = content.count(b"\r\n")
    if content.count(b"\n") == pairs == content.count(b"\r"):
        return content
    return _BARE.sub(b"\r\n", content)


def terminated(content: bytes) -> bytes:
    """Return canonical content that ends with a line end, as DATA demands."""
    return content if content.endswith(b"\r\n") or not content else content + b"\r\n"


def stuffed(content: bytes) -> bytes:
    """Return canonical content with each line's leading dot doubled; the same object where no line has one."""
    if b"\n." in content:
        content = content.replace(b"\n.", b"\n..")
    return b"." + content if content.startswith(b".") else content
