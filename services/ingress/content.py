"""The content of a message as it comes in: DATA (RFC 5321 section 4.5.2) and BDAT (RFC 3030). Pure, linear in time.

Only <CRLF>.<CRLF> ends DATA, and only a CR together with an LF is a line end. Anything else that looks like either is
how one message is smuggled inside another (CVE-2023-51764, CVE-2023-51765, CVE-2023-51766, CVE-2024-27305).
"""

from __future__ import annotations

import re

_END = b"\r\n.\r\n"
# Expressions find these several times as fast as bytes.find does where there are many lines.
_FIND_END = re.compile(rb"\r\n\.\r\n")
_FIND_DOT = re.compile(rb"\r\n\.(?P<end>\r\n)?+")


class Data:
    """The octets after 354, until the dot. Once stopped, it looks for the end and keeps nothing."""

    def __init__(self) -> None:
        self._octets = bytearray(b"\r\n")  # the first line begins as if after a CRLF: a dot alone ends DATA at once
        self._searched = 0
        self._stopped = False
        self._is_stuffed = False

    @property
    def size(self) -> int:
        """How many octets are kept."""
        return 0 if self._stopped else len(self._octets) - 2

    def stop(self) -> None:
        """Keep nothing of what came and comes: it will be refused."""
        self._stopped = True
        self._forget()

    def feed(self, chunk: bytes) -> bytes | None:
        """Take a chunk. Returns None while the end is not there, then what of the chunk comes after it."""
        self._octets += chunk
        if found := self._find_end():
            rest = bytes(self._octets[found.end() :])
            del self._octets[found.start() + 2 :]
            return rest
        self._searched = max(0, len(self._octets) - len(_END) + 1)
        if self._stopped:
            self._forget()
        return None

    @property
    def has_doubtful_end(self) -> bool:
        """Whether a bare CR stands before the end: <CR><CRLF>.<CRLF>. Others may read on where we have stopped.

        So nothing that comes after it may be obeyed.
        """
        return self._octets.endswith(b"\r\r\n")

    def content(self) -> bytes:
        """Hand over the content once the end was found: dots unstuffed, all else untouched."""
        octets = self._octets
        self._octets = bytearray()
        if self._is_stuffed:
            octets = octets.replace(b"\r\n.", b"\r\n")
        return bytes(memoryview(octets)[2:])

    def _find_end(self) -> re.Match[bytes] | None:
        """Return the end, and learn on the way whether any line begins with a dot: most messages have none."""
        if not self._is_stuffed:
            found = _FIND_DOT.search(self._octets, self._searched)
            if found is None or found["end"]:
                return found
            self._is_stuffed = True
        return _FIND_END.search(self._octets, self._searched)

    def _forget(self) -> None:
        del self._octets[: -len(_END)]  # what may begin the end, and the octet before it
        self._searched = 0
