"""Header fields that hold addresses, and the edits that make them public.

Three kinds: lists of mailboxes (`FIELDS`), an address after a type (`TYPED`), and text or URIs with addresses in it
(`TEXTS`). Never edited, because they are evidence or identifiers and not addresses to write to: Received,
Authentication-Results, ARC and DKIM fields, Received-SPF, X-MIMETrack, Message-ID, References, In-Reply-To, List-Id,
and X-Lotus-FromDomain, which names Notes domains. What a person wrote into Subject or Comments is content.

An edit replaces the bytes of one address (of its domain, where only that changes) or of one display name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from weakref import WeakKeyDictionary

from shared.mail.address import Address, quote, unquote
from shared.mail.address_fields import FIELDS
from shared.mail.address_list import Mailbox, read_addresses, write_name
from shared.mail.edits import Edit
from shared.mail.header import Field, decode_words, encode_words, fold
from shared.routing.embedded import byte_edits
from shared.routing.router import Router

TYPED = frozenset({"original-recipient", "final-recipient", "x-actual-recipient"})  # RFC 8098 2.3, RFC 3464 2.3.1
TEXTS = frozenset(
    {
        *("list-help", "list-unsubscribe", "list-subscribe", "list-post", "list-owner", "list-archive"),  # RFC 2369
        *("autocrypt", "autocrypt-gossip"),
        *("x-forwarded-for", "x-forwarded-by", "mailing-list", "x-loop", "x-report-abuse", "x-notes-item"),
        *("x-from", "x-to", "x-cc", "x-bcc", "x-recipient", "x-recipients", "x-owner", "x-mailing-list"),
        *("x-unsubscribe", "x-list-unsubscribe", "x-list-help", "x-list-post", "x-list-owner", "x-list-subscribe"),
    }
)

_KINDS = FIELDS | TYPED | TEXTS
_FIELDS_KEPT = 4096
_LONGEST_KEPT = 512  # bytes of a field
_SEEN: WeakKeyDictionary[Router, dict[tuple[bytes, bool], tuple[Edit, ...]]] = WeakKeyDictionary()

_TYPE = re.compile(rb"[ \t]*([!-:<-~]+)[ \t]*;\s*")
_WEB = re.compile(r"https?://[^\s<>]*+", re.IGNORECASE)  # a link works as it is written only
_RAW = re.compile("[\udc80-\udcff]")
_JIS_ESCAPE = re.compile(r"\x1b(?:\$[@AB]|\$?\([A-Z])")


def address_field_edits(
    content: bytes, fields: Iterable[Field], router: Router, humanize_names: bool
) -> Iterator[Edit]:
    """Yield the edits that make the address fields of a header public, in order."""
    for field in fields:
        if field.name in _KINDS:
            for edit in _edits_of_field(content, field, router, humanize_names):
                yield Edit(edit.start + field.start, edit.end + field.start, edit.replacement)


def _edits_of_field(content: bytes, field: Field, router: Router, humanize_names: bool) -> tuple[Edit, ...]:
    """Return the edits of one field, counted from its start. Fields recur: in one message, and from one to the next."""
    raw = content[field.start : field.end]
    seen = _SEEN.setdefault(router, {})
    edits = seen.get((raw, humanize_names))
    if edits is None:
        alone = Field(field.name, 0, field.value_start - field.start, len(raw))
        edits = tuple(_find_edits(raw, alone, router, humanize_names))
        if len(raw) <= _LONGEST_KEPT:
            if len(seen) >= _FIELDS_KEPT:
                seen.clear()
            seen[raw, humanize_names] = edits
    return edits


def _find_edits(raw: bytes, field: Field, router: Router, humanize_names: bool) -> Iterable[Edit]:
    if field.name in FIELDS:
        return _list_edits(raw, field, router, humanize_names)
    if field.name in TYPED:
        return typed_edits(raw, field, router)
    return text_edits(raw, field.value_start, field.end, router)


def typed_edits(content: bytes, field: Field, router: Router) -> Iterator[Edit]:
    """Yield the edits of `rfc822; jdoe@notes.example.com`; a type of Notes goes with its address."""
    start, end = field.value_start, field.value_start + len(field.raw(content).rstrip())
    kind = _TYPE.match(content, start, end)
    at = kind.end() if kind else start
    address = content[at:end].decode("utf-8", "surrogateescape")
    public = router.public(address)
    if public == address:
        yield from text_edits(content, at, end, router)
        return
    if kind and kind[1].lower() not in (b"rfc822", b"utf-8"):
        yield Edit(*kind.span(1), b"rfc822")
    yield _shortest(content, Edit(at, end, public.encode("utf-8", "surrogateescape")))


def text_edits(content: bytes, start: int, end: int, router: Router) -> Iterator[Edit]:
    """Yield the edits of the internal addresses anywhere in `content[start:end]`, but not in links to the web."""
    if b"%40" not in content[start:end] and not router.topology.internal_pattern.search(content, start, end):
        return
    text = content[start:end].decode("utf-8", "surrogateescape")
    readable = _JIS_ESCAPE.sub(_blank, _WEB.sub(_blank, text))
    for edit in byte_edits(text, router.internal_addresses(readable)):
        yield _shortest(content, Edit(start + edit.start, start + edit.end, edit.replacement))


def unstructured_edits(content: bytes, field: Field, router: Router) -> Iterator[Edit]:
    """Yield the edits of a field that is text with encoded words, such as the Subject of a report."""
    raw = field.raw(content)
    if b"=?" not in raw:
        yield from text_edits(content, field.value_start, field.end, router)
        return
    text = decode_words(field.value(content))
    public = router.public_text(text)
    if public != text:
        name = content[field.start : field.value_start].rstrip(b": \t").decode("ascii")
        new = fold(name, encode_words(public))
        yield Edit(field.start, field.end, new if content.endswith(b"\n", field.start, field.end) else new[:-2])


def leaks_in(content: bytes, fields: Iterable[Field], router: Router) -> int:
    """Return how many internal addresses the address fields of a header show, once each.

    Counts what would be edited, and what looks like an internal address anywhere else in a list of mailboxes but inside
    an address of others: an obsolete route.
    """
    count, pattern = 0, router.topology.internal_pattern
    for field in fields:
        edits = list(address_field_edits(content, (field,), router, humanize_names=False))
        count += len(edits)
        if field.name in FIELDS and pattern.search(content, field.value_start, field.end):
            known = [mailbox.address_span for mailbox in read_addresses(content, field.value_start, field.end)]
            known += [(edit.start, edit.end) for edit in edits]
            places = (found.start() for found in pattern.finditer(content, field.value_start, field.end))
            count += sum(not any(start <= place < end for start, end in known) for place in places)
    return count


def _blank(found: re.Match[str]) -> str:
    return " " * len(found[0])


def _list_edits(content: bytes, field: Field, router: Router, humanize_names: bool) -> list[Edit]:
    mailboxes = read_addresses(content, field.value_start, field.end)
    edits = [edit for mailbox in mailboxes for edit in _mailbox_edits(content, mailbox, router, humanize_names)]
    if _reach_all(edits, router.topology.internal_pattern.finditer(content, field.value_start, field.end)):
        return edits
    return _edits_of_the_rest(content, field, mailboxes, edits, router)


def _reach_all(edits: list[Edit], places: Iterator[re.Match[bytes]]) -> bool:
    """Whether the edits, in order, cover every place; an edit of a domain begins behind its @."""
    at = 0
    for place in places:
        while at < len(edits) and edits[at].end <= place.start():
            at += 1
        if at == len(edits) or place.start() < edits[at].start - 1:
            return False
    return True


def _edits_of_the_rest(
    content: bytes, field: Field, mailboxes: tuple[Mailbox, ...], edits: list[Edit], router: Router
) -> list[Edit]:
    """Add the edits of comments, and of what stands in the place of an address and is none."""
    covered = field.value_start
    for mailbox in mailboxes:
        if _is_text(mailbox.address, router):
            start, end = mailbox.address_span
            edits = [edit for edit in edits if not start <= edit.start < end]
            edits += text_edits(content, start, end, router)
        named = [mailbox.name_span] if mailbox.name_span else []
        for start, end in sorted([*named, mailbox.address_span]):
            edits += _comment_edits(content, covered, start, router)
            covered = end
    return sorted([*edits, *_comment_edits(content, covered, field.end, router)])


def _is_text(address: str, router: Router) -> bool:
    """Whether the text in the place of an address is not an address in any known form."""
    if Address.is_valid(address):
        return False
    found = router.recognize(address)
    return not found.pair and not found.name and found.address == address


def _comment_edits(content: bytes, start: int, end: int, router: Router) -> Iterator[Edit]:
    """Yield the edits of what stands between names and addresses; a route is left, since it names hosts."""
    if b"(" in content[start:end]:
        yield from text_edits(content, content.index(b"(", start, end), end, router)


def _mailbox_edits(content: bytes, mailbox: Mailbox, router: Router, humanize_names: bool) -> Iterator[Edit]:
    if mailbox.name_span and (humanize_names or "@" in mailbox.name):
        name = router.public_name(mailbox.name)
        start, end = mailbox.name_span
        if name != mailbox.name and _is_writable(name, content[start:end]):
            yield Edit(start, end, write_name(name, quoted=content.startswith(b'"', start)))
    public = router.public(mailbox.address)
    if public != mailbox.address:
        yield _address_edit(content, mailbox, public)


def _is_writable(name: str, raw: bytes) -> bool:
    """Whether a new name keeps every character: not raw ISO-2022-JP, nor raw bytes beside decoded encoded words."""
    return b"\x1b" not in raw and (b"=?" not in raw or not _RAW.search(name))


def _address_edit(content: bytes, mailbox: Mailbox, public: str) -> Edit:
    """Return the edit of the domain alone where the rest stays as it is written: not in encoded words."""
    local, _, domain = public.rpartition("@")
    start, end = mailbox.address_span
    is_encoded = b"=?" in content[start:end]
    if mailbox.domain_span and not is_encoded and local == mailbox.address.rpartition("@")[0]:
        return Edit(*mailbox.domain_span, domain.encode("utf-8", "surrogateescape"))
    written = f"{quote(unquote(local))}@{domain}" if is_encoded else public  # what was one address stays one
    return Edit(start, end, written.encode("utf-8", "surrogateescape"))


def _shortest(content: bytes, edit: Edit) -> Edit:
    """Return the edit of the domain alone where the local part stays."""
    local, at, domain = edit.replacement.rpartition(b"@")
    if at and content.startswith(local + b"@", edit.start) and edit.start + len(local) < edit.end:
        return Edit(edit.start + len(local) + 1, edit.end, domain)
    return edit
