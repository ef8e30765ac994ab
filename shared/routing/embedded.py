"""Internal addresses inside any text: a display name, a comment, a report for people. Pure, linear in the text.

A match is an internal domain after `@` (or `%40`, in a URI), and as much text before it as can be a local part:

    Doe, John (jdoe@notes.example.com)      mailto:jdoe%40notes.example.com      addr=jdoe@notes.example.com
    'jdoe@notes.example.com'                jane@exchange.example.com@ACME       John Doe/Sales/Acme@ACME

The start of a local part is ambiguous after punctuation that may belong to it: the longest candidate in the address
map wins, else everything up to a blank. A Notes name at a Notes domain contains blanks: it is found if it is in the
map or canonical (`CN=…`). Any other Notes name only loses its Notes domain, because its start cannot be determined.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import quote, unquote

from shared.mail.address import ATEXT
from shared.mail.edits import Edit
from shared.routing import rewrite
from shared.routing.address_map import AddressMap
from shared.routing.notes_address import NotesName
from shared.routing.recognize import Recognized, recognize
from shared.routing.topology import Topology

_LOOK_BACK = 256  # characters: more than a local part has
_MORE_DOMAINS = re.compile(r"(?:@[\w-]++(?:\.[\w-]++)*+)++")
_QUOTED = re.compile(r'"(?:[^"\\\r\n]|\\.){1,256}+"\Z')
_RUN_BACKWARDS = re.compile(rf"[{ATEXT}.@\u0080-\U0010ffff]*+")
_SEPARATORS = re.compile(r"""[=/'|*{}!?&#^`~:@]|[^\x00-\x7f](?=[\x00-\x7f])""")
_NAME_BREAK = re.compile(r"""[<>()\[\]",;:\r\n]""")
_NAME_PART = re.compile(r"/[^\s/@]{1,64}\Z")
_BLANK = re.compile(r"[ \t\r\n]+")
_AROUND = "'`.@"
_MAILTO = re.compile(r"mailto:(?://)?[^\s<>]*+\Z", re.IGNORECASE)
_MAX_BEGINNINGS = 12
_UNRESERVED = "!$&'*+/=^_`{|}~.-"  # of a mailto URI's local part (RFC 6068 section 2)


@dataclass(frozen=True, slots=True)
class Embedded:
    """An internal address in a text, `text[start:end]`, and its public replacement."""

    start: int
    end: int
    public: str


def internal_addresses(text: str, topology: Topology, address_map: AddressMap) -> Iterator[Embedded]:
    """Yield the internal addresses in a text, in order and without overlap."""
    position = 0
    for found in topology.internal_text_pattern.finditer(text):
        if found.start() < position:
            continue
        more = _MORE_DOMAINS.match(text, found.end())
        end = more.end() if more else found.end()
        before = text[max(position, found.start() - _LOOK_BACK) : found.start()]
        domains = _BLANK.sub("", text[found.start() : end]).replace("%40", "@")
        local, public = _best(before, domains, topology, address_map)
        if public is not None:
            yield Embedded(found.start() - len(local), end, public)
        position = end  # so that no character is read twice: time stays linear


def byte_edits(text: str, addresses: Iterable[Embedded]) -> Iterator[Edit]:
    """Yield the edits that make addresses of a text public, over its bytes: UTF-8 with surrogate escapes. Linear.

    The addresses are in order and without overlap.
    """
    size, position = 0, 0
    for found in addresses:
        start = size + len(_octets(text[position : found.start]))
        size = start + len(_octets(text[found.start : found.end]))
        position = found.end
        yield Edit(start, size, _octets(found.public))


def public_text(text: str, topology: Topology, address_map: AddressMap) -> str:
    """Return the text with every internal address replaced."""
    pieces: list[str] = []
    position = 0
    for found in internal_addresses(text, topology, address_map):
        pieces += (text[position : found.start], found.public)
        position = found.end
    return "".join([*pieces, text[position:]])


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _best(before: str, domains: str, topology: Topology, address_map: AddressMap) -> tuple[str, str | None]:
    """Return the end of `before` that is the local part, as written, and the public address."""
    if "." not in domains and _NAME_PART.search(before):
        return _notes_name(before, domains, topology, address_map)
    first: tuple[str, str | None] = ("", None)
    is_uri = _MAILTO.search(before) is not None
    for local in _beginnings(before):
        for written in dict.fromkeys((local, unquote(local)) if is_uri else (local,)):
            if first[1] is not None and "%" not in written and not address_map.find(written + domains):
                continue  # one look-up, if only the map can match
            found, public = _seen(written + domains, topology, address_map)
            if public is not None and found.pair:
                return local, _in_uri(public) if written != local else public
            if first[1] is None:
                first = (local, public)
    return first if first[1] else _notes_name(before, domains, topology, address_map)


def _seen(address: str, topology: Topology, address_map: AddressMap) -> tuple[Recognized, str | None]:
    """Return the recognized address, and its public form if that differs."""
    found = recognize(address, topology, address_map)
    public = rewrite.public(found, topology, address_map)
    return found, public if public != address else None


def _beginnings(before: str) -> Iterator[str]:
    """Yield the candidates for the local part, the longest first."""
    if before.endswith('"') and (quoted := _QUOTED.search(before)):
        yield quoted[0]
        return
    length = len(_RUN_BACKWARDS.match(before[::-1])[0])  # type: ignore[index]  # it matches "" at least
    run = before[len(before) - length :].lstrip(_AROUND)
    ascii_start = next((at for at in range(len(run), 0, -1) if not run[at - 1].isascii()), 0)
    starts = [0, ascii_start, *(sign.end() for sign in _SEPARATORS.finditer(run))]
    for start in sorted(set(starts))[:_MAX_BEGINNINGS]:
        if local := run[start:].lstrip(_AROUND):
            yield local


def _in_uri(address: str) -> str:
    local, _, domain = address.rpartition("@")
    return f"{quote(local, safe=_UNRESERVED)}@{domain}"


def _notes_name(before: str, domains: str, topology: Topology, address_map: AddressMap) -> tuple[str, str | None]:
    """Return a Notes name that is in the map or begins with `CN=`, and the public address.

    Any other name yields nothing and "": it loses its Notes domain.
    """
    words = _NAME_BREAK.split(before)[-1].lstrip()
    starts = [0, *(blank.end() for blank in _BLANK.finditer(words))][-_MAX_BEGINNINGS:]
    for start in starts:
        name = NotesName.parse(words[start:] + domains)
        if name and (name.types[:1] == ("CN",) or address_map.by_name(name)):
            _, public = _seen(words[start:] + domains, topology, address_map)
            if public is not None:
                return words[start:], public
    return "", "" if _NAME_PART.search(before) and "." not in domains else None
