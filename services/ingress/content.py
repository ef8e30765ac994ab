"""The content of a message as it comes in: DATA (RFC 5321 section 4.5.2) and BDAT (RFC 3030). Pure, linear in time.

Only <CRLF>.<CRLF> ends DATA, and only a CR together with an LF is a line end. Anything else that looks like either
could smuggle one message inside another (CVE-2023-51764, CVE-2023-51765, CVE-2023-51766, CVE-2024-27305).
"""

from __future__ import annotations

import re

_END = b"\r\n.\r\n"
# Expressions find these several times as fast as bytes.find does where there are many lines.
_FIND_END = re.compile(rb"\r\n\.\r\n")
_FIND_DOT = re.compile(rb"\r\n\.(?P<end>\r\n)?+")


class Data:
    """The bytes after 354, up to the final dot. Once stopped, it searches for the end and keeps nothing."""

    def __init__(self) -> None:
        self._buffer = bytearray(b"\r\n")  # the first line begins as if after a CRLF: a dot alone ends DATA at once
        self._searched = 0
        self._stopped = False
        self._is_stuffed = False

    @property
    def size(self) -> int:
        """How many bytes are kept."""
        return 0 if self._stopped else len(self._buffer) - 2

    def stop(self) -> None:
        """Keep nothing, received or to come: the message will be refused."""
        self._stopped = True
        self._forget()

    def feed(self, chunk: bytes) -> bytes | None:
        """Take a chunk. Returns None until the end is found, then the bytes of the chunk after it."""
        self._buffer += chunk
        if found := self._find_end():
            rest = bytes(self._buffer[found.end() :])
            del self._buffer[found.start() + 2 :]
            return rest
        self._searched = max(0, len(self._buffer) - len(_END) + 1)
        if self._stopped:
            self._forget()
        return None

    @property
    def has_ambiguous_end(self) -> bool:
        """Whether a bare CR stands before the end: <CR><CRLF>.<CRLF>.

        Other servers may read on where we stop, so no command after it may be executed.
        """
        return self._buffer.endswith(b"\r\r\n")

    def content(self) -> bytes:
        """Return the content once the end was found: dots unstuffed, everything else unchanged."""
        content = self._buffer
        self._buffer = bytearray()
        if self._is_stuffed:
            content = content.replace(b"\r\n.", b"\r\n")
        return bytes(memoryview(content)[2:])

    def _find_end(self) -> re.Match[bytes] | None:
        """Return the end, and note whether any line begins with a dot: in most messages none does."""
        if not self._is_stuffed:
            found = _FIND_DOT.search(self._buffer, self._searched)
            if found is None or found["end"]:
                return found
            self._is_stuffed = True
        return _FIND_END.search(self._buffer, self._searched)

    def _forget(self) -> None:
        del self._buffer[: -len(_END)]  # what may begin the end, and the byte before it
        self._searched = 0
