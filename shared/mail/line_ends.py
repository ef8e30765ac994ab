"""Line ends: CRLF and nothing else (RFC 5321 section 2.3.8). A bare CR or LF enables SMTP smuggling.

The bytes are read once, by the reader of line ends that Python's text files use: counting each kind takes four times
as long.
"""

from __future__ import annotations

import io

CRLF = "\r\n"


def has_bare_newline(content: bytes) -> bool:
    """Whether the content has a bare CR or a bare LF."""
    reader = io.IncrementalNewlineDecoder(None, translate=False)
    reader.decode(content.decode("latin-1"), final=True)  # one character per byte: any bytes are text
    return reader.newlines not in (None, CRLF)


def normalize(content: bytes) -> bytes:
    """Return the content with each bare CR and each bare LF as CRLF; the same object if there is none."""
    if not has_bare_newline(content):
        return content
    return content.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")
