"""Address header fields (RFC 5322 section 3.4) as spans: the position of each display name and each address.

Reading is lenient and linear in time: any bytes are some list. Text between the spans (folding, comments, groups,
routes) is never changed.

Quirks, each of them read as an address:

- Notes names that are not an addr-spec: `John Doe/Sales/Acme@ACME`, `CN=John Doe/O=Acme@ACME`, `user@sub@ACME`, bare or
  in angle brackets, the whole of it perhaps in encoded words;
- a comma inside an encoded word;
- `;` between addresses (Outlook), `mailto:` before them, an angle bracket or quote that is never closed;
- bytes above 127 that are not UTF-8: kept as surrogate escapes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from shared.mail.address import ATEXT
from shared.mail.header import decode_words, encode_words

Span = tuple[int, int]

_TOKEN = re.compile(
    r"(?P<blank>[ \t\r\n]++)"
    r"|(?P<encoded>=\?[^?\s\"<>]++\?[bBqQ]\?[^?\s\"<>]*+\?=)"  # one piece, even with a comma in it
    r"|(?P<literal>\[[^\[\]<>,;@\s]*+\])"
    r"|(?P<word>[^ \t\r\n\"(<>,;:\[]++)"
    r"|(?P<sign>.)",
    re.DOTALL,
)
_QUOTED = re.compile(r'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_COMMENT_SIGN = re.compile(r"\\.|[()]", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_BLANKS = re.compile(r"[ \t\r\n]+")
_RAW = re.compile("[\udc80-\udcff]")
_CONTROL = re.compile("[\x00-\x1f\x7f]")
_PHRASE = re.compile(rf"[{ATEXT}]+(?: [{ATEXT}]+)*")
_SILENT = ("blank", "comment")

# A mailbox in its usual form, up to the comma or the end: `Anna Schmidt <a@b>`, `"Schmidt, Anna" <a@b>`, `a@b`.
_ATOM = rb"[A-Za-z0-9!#$%&'*+/^_`{|}~.\-]++"
_PLAIN = re.compile(
    rb"[ \t\r\n]*+(?:"
    rb"(?P<name>"
    + _ATOM
    + rb"(?: "
    + _ATOM
    + rb")*+|\"[ !#-<>-\[\]-~]*+\")?[ \t]*+<(?P<address>"
    + _ATOM
    + rb"@(?P<domain>"
    + _ATOM
    + rb"))>"
    rb"|(?P<bare>" + _ATOM + rb"@(?P<bare_domain>" + _ATOM + rb"))"
    rb")[ \t\r\n]*+(?:,|\Z)"
)


@dataclass(frozen=True, slots=True)
class Mailbox:
    """One address of a list; spans are bytes of the content that was read.

    address: the addr-spec as written, without folding and comments; may be invalid, never empty. domain_span: the text
    after its last @, None without @. name: the display name, decoded, or "" (name_span is then None). group: the name
    of its group, "" for an unnamed group, None outside a group.
    """

    address: str
    address_span: Span
    domain_span: Span | None
    name: str = ""
    name_span: Span | None = None
    group: str | None = None


class _Token(NamedTuple):
    kind: str  # blank, comment, quoted, encoded, literal, word, or the sign itself
    start: int
    text: str

    @property
    def end(self) -> int:
        return self.start + len(self.text)


def read_addresses(content: bytes, start: int = 0, end: int | None = None) -> tuple[Mailbox, ...]:
    """Return the mailboxes in `content[start:end]`, the value of an address field, in order. Never fails."""
    end = len(content) if end is None else min(end, len(content))
    plain: list[Mailbox] = []
    while start < end and (found := _PLAIN.match(content, start, end)):
        plain.append(_plain_mailbox(found))
        start = found.end()
    return (*plain, *_read_any(content, start, end)) if start < end else tuple(plain)


def _plain_mailbox(found: re.Match[bytes]) -> Mailbox:
    """Return what `_PLAIN` matched; every form of it reads the same in `_read_any`."""
    which, domain = ("bare", "bare_domain") if found["address"] is None else ("address", "domain")
    name = found["name"]
    return Mailbox(
        found[which].decode(),
        found.span(which),
        found.span(domain),
        _BLANKS.sub(" ", name.strip(b'"').decode()).strip(" ") if name else "",
        found.span("name") if name else None,
    )


def _read_any(content: bytes, start: int, end: int) -> tuple[Mailbox, ...]:
    """Return the mailboxes of a list in any form, token by token."""
    tokens = list(_tokens(content[start:end].decode("latin-1"), start))  # one character per byte: offsets stay valid
    found: list[Mailbox | None] = []
    group: str | None = None
    phrase: list[_Token] = []
    position = 0
    while position < len(tokens):
        token = tokens[position]
        position += 1
        if token.kind == "<":
            inside, position = _angle(tokens, position)
            found.append(_mailbox(inside, phrase, group))
            phrase = []
        elif token.kind in ",;":
            found.append(_mailbox(phrase, (), group))
            phrase, group = [], None if token.kind == ";" else group
        elif token.kind == ":" and group is None and not any("@" in word.text for word in phrase):
            group, phrase = _name(phrase), []
        else:
            phrase.append(token)
    found.append(_mailbox(phrase, (), group))
    return tuple(mailbox for mailbox in found if mailbox)


def write_name(name: str, quoted: bool = False) -> bytes:
    """Return a display name as written before an angle bracket; `quoted` forces quotes.

    Bytes of an unknown charset, surrogate escapes in the name, are written unchanged, in quotes.
    """
    if _RAW.search(name) and _CONTROL.search(name) is None:
        escaped = name.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'.encode("utf-8", "surrogateescape")
    if not name.isascii() or not name.isprintable() or "=?" in name:
        return encode_words(name).encode("ascii")
    if _PHRASE.fullmatch(name) and not quoted:
        return name.encode("ascii")
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'.encode("ascii")


def _tokens(text: str, offset: int) -> Iterator[_Token]:
    position = 0
    quotes, comments = True, True  # after one is not closed, no other is searched for: time stays linear
    while position < len(text):
        end = None
        if text[position] == '"' and quotes:
            closed = _QUOTED.match(text, position)
            kind, end, quotes = "quoted", closed and closed.end(), closed is not None
        elif text[position] == "(" and comments:
            end = _comment_end(text, position)
            kind, comments = "comment", end is not None
        if end is None:
            found = _TOKEN.match(text, position)
            assert found, "every character is a token"
            kind, end = (found[0] if found.lastgroup == "sign" else str(found.lastgroup)), found.end()
        yield _Token(kind, offset + position, text[position:end])
        position = end


def _comment_end(text: str, position: int) -> int | None:
    depth = 0
    for sign in _COMMENT_SIGN.finditer(text, position):
        depth += {"(": 1, ")": -1}.get(sign[0], 0)
        if depth == 0:
            return sign.end()
    return None


def _angle(tokens: Sequence[_Token], position: int) -> tuple[Sequence[_Token], int]:
    """Return the content of an angle bracket and where to continue; an unclosed bracket ends at a comma."""
    start, comma = position, None
    while position < len(tokens) and tokens[position].kind not in ("<", ">"):
        if comma is None and tokens[position].kind in (",", ";"):
            comma = position
        position += 1
    if position < len(tokens) and tokens[position].kind == ">":
        return _without_route(tokens[start:position]), position + 1
    stop = position if comma is None else comma
    return tokens[start:stop], stop


def _without_route(tokens: Sequence[_Token]) -> Sequence[_Token]:
    """Leave out an obsolete route, `@relay,@relay:` (RFC 5322 section 4.4), or a `mailto:`."""
    colon = next((index for index, token in enumerate(tokens) if token.kind == ":"), None)
    first = next((token.text for token in tokens if token.kind not in _SILENT), "")
    is_prefix = first.startswith("@") or first.lower() == "mailto"
    return tokens if colon is None or not is_prefix else tokens[colon + 1 :]


def _mailbox(tokens: Sequence[_Token], phrase: Sequence[_Token], group: str | None) -> Mailbox | None:
    tokens, phrase = _trimmed(tokens), _trimmed(phrase)
    if not tokens:
        return None
    name_span = (phrase[0].start, phrase[-1].end) if phrase else None
    return Mailbox(
        _address(tokens), (tokens[0].start, tokens[-1].end), _domain(tokens), _name(phrase), name_span, group
    )


def _trimmed(tokens: Sequence[_Token]) -> Sequence[_Token]:
    telling = [index for index, token in enumerate(tokens) if token.kind not in _SILENT]
    return tokens[telling[0] : telling[-1] + 1] if telling else ()


def _domain(tokens: Sequence[_Token]) -> Span | None:
    end = tokens[-1].end
    for index in range(len(tokens) - 1, -1, -1):
        sign = tokens[index].text.rfind("@") if tokens[index].kind == "word" else -1
        if sign >= 0:
            rest = tokens[index].start + sign + 1
            following = (token.start for token in tokens[index + 1 :] if token.kind not in _SILENT)
            start = rest if rest < tokens[index].end else next(following, rest)
            return start, end
    return None


def _address(tokens: Sequence[_Token]) -> str:
    text = "".join(" " if token.kind == "blank" else token.text for token in tokens if token.kind != "comment")
    text = _decoded(text)
    if "=?" in text and (words := decode_words(text)).strip() and not _CONTROL.search(words):
        text = words
    local, at, domain = text.rpartition("@")
    return f"{local.rstrip(' ')}@{domain.replace(' ', '')}" if at else text


def _name(tokens: Sequence[_Token]) -> str:
    pieces = (
        " "
        if token.kind == "blank"
        else _ESCAPED.sub(r"\1", token.text[1:-1])
        if token.kind == "quoted"
        else token.text
        for token in tokens
        if token.kind != "comment"
    )
    return _BLANKS.sub(" ", decode_words(_decoded("".join(pieces)))).strip(" ")


def _decoded(text: str) -> str:
    return text.encode("latin-1").decode("utf-8", "surrogateescape")
