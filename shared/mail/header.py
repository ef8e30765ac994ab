"""Header fields as spans (RFC 5322 section 2.2), and the text of new ones.

Import the functions that read and write their values from here: `parameters`, `decode_words`, `encode_words`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from shared.errors import MalformedMessage
from shared.mail.encoded_words import decode_words, encode_words
from shared.mail.parameters import parameters

__all__ = ["Field", "decode_words", "encode_words", "fold", "parameters", "read_fields"]

_LINE_LENGTH = 78  # RFC 5322 section 2.1.1: should
_MAX_LINE_LENGTH = 998  # and must, both without CRLF

_FIELD = re.compile(
    rb"([!-9;-~]*+)[ \t]*+(:)[^\n]*+(?:\n[ \t][^\n]*+)*+(?:\n|\Z)"
)  # blanks before the colon: section 4.5.8
_FIELD_NAME = re.compile(rb"[!-9;-~]*+[ \t]*+:")
_CONTINUATION = re.compile(rb"(?:[ \t][^\n]*+\n)++")
_MBOX_LINE = re.compile(rb">?From [^\n]*+\n")
_HYPHEN = ord("-")
_LINE_END = re.compile(rb"\r?\n")
_FOLD = re.compile(rb"\r?\n(?=[ \t])")
_PIECE = re.compile(rb".{1,990}(?![\x80-\xbf])", re.DOTALL)  # of a word that fits no line, between characters
# A new line may begin before a blank, but not inside a quoted string: Outlook loses a boundary that is folded there.
_FOLDABLE = re.compile(r'[ \t]*+(?:"(?:[^"\\]++|\\.)*+"?|[^ \t"])++')


class Field(NamedTuple):
    """One header field: `content[start:end]`, from its name up to and with its last line end.

    name: in lower case. value_start: just after the colon. Only a field that ends the content can lack its line end.
    """

    name: str
    start: int
    value_start: int
    end: int

    def raw(self, content: bytes) -> bytes:
        """Return the bytes of the value, folded as in the original, without the last line end."""
        octets = content[self.value_start : self.end]
        return octets.removesuffix(b"\n").removesuffix(b"\r") if octets.endswith(b"\n") else octets

    def value(self, content: bytes) -> str:
        """Return the value unfolded and stripped, its encoded words as they are.

        UTF-8 (RFC 6532) is decoded; other bytes above 127 are kept as surrogate escapes, so that encoding with
        `("utf-8", "surrogateescape")` gives the same bytes back.
        """
        return _FOLD.sub(b"", self.raw(content)).decode("utf-8", "surrogateescape").strip(" \t\r\n")


def _is_never(_offset: int) -> bool:
    return False


def read_fields(
    content: bytes, start: int, max_bytes: int, is_delimiter: Callable[[int], bool] = _is_never
) -> tuple[tuple[Field, ...], int]:
    """Return the fields of the header that starts at `start`, and where the body starts.

    The header ends with an empty line, at a line that is not a field (then the body's first line), at a line for which
    `is_delimiter(its offset)` is true, or with the content. An mbox line, lone continuation lines at the start, and
    fields without a name are skipped. Raises MalformedMessage for a header of more than `max_bytes` bytes.
    """
    limit = min(len(content), start + max_bytes + 1)
    position = start
    if found := _MBOX_LINE.match(content, position, limit):
        position = found.end()
    if found := _CONTINUATION.match(content, position, limit):
        position = found.end()
    fields: list[Field] = []
    while position < limit:
        if content[position] == _HYPHEN and content.startswith(b"--", position) and is_delimiter(position):
            break
        if not (found := _FIELD.match(content, position, limit)):
            if end := _LINE_END.match(content, position):
                return tuple(fields), end.end()
            if _FIELD_NAME.match(content, position):  # a field, but its colon is beyond the limit
                position = limit
            break
        end_of_field = found.end()
        if name := found[1]:
            fields.append(Field(name.decode().lower(), position, found.end(2), end_of_field))
        position = end_of_field
    if position - start > max_bytes:
        raise MalformedMessage(f"the header at offset {start} is longer than {max_bytes} bytes")
    return tuple(fields), position


def fold(name: str, value: str) -> bytes:
    """Return a whole new field with CRLF; its lines are at most 78 bytes where blanks allow, and never above 998.

    Line ends inside the value become blanks, so a value can never add a field. Text beyond ASCII is written as UTF-8:
    pass it through `encode_words` first, unless the destination accepts RFC 6532.
    """
    lines = [f"{name}:".encode()]
    text = re.sub(r"[\r\n]+", " ", value).strip(" \t")
    for index, word in enumerate(_FOLDABLE.findall(f" {text}")):
        octets = word.encode("utf-8", "surrogateescape")
        room = _LINE_LENGTH if index else _MAX_LINE_LENGTH  # the first word stays beside the name where it can
        if len(lines[-1]) + len(octets) <= room:
            lines[-1] += octets
        elif len(octets) <= _MAX_LINE_LENGTH:
            lines.append(octets)
        else:
            lines += [b" " + piece for piece in _PIECE.findall(octets.lstrip(b" \t"))]
    return b"".join(line + b"\r\n" for line in lines)
