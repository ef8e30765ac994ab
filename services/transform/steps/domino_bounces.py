"""Domino's bounces, made delivery reports that Exchange understands (RFC 3464, RFC 6522).

A report that Domino writes keeps all its parts; of its fields

- `Status: 5.0.0`, Domino's only code, is derived from the text (`bounces.status`);
- `Diagnostic-Code: X-Notes; …` holds raw ISO-2022-JP, or another national charset, where only ASCII may stand: it is
  written in encoded words, which RFC 2047 section 5 (1) allows in any `*text`. Domino folds it after 70 bytes in the
  middle of a word: it is put together where the text for people shows how;
- `Remote-MTA: smtp; …` names a type that is none: `dns` (RFC 3464 section 2.3.5).

A report alone in a multipart/mixed, where a relay wrapped it, becomes the message itself: Exchange looks only there.

Bounces that are only text become reports: the text stays as the first part, the returned message of Notes R4 becomes a
part with its bytes as they are, and the fields are made from the words. Only from a null sender or a postmaster, and
only if the text names a recipient.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from services.transform.bounces.report import made_report
from services.transform.bounces.status import UNKNOWN, status_of
from services.transform.pipeline import Context, Step, StepMessage
from services.transform.scope import leaves_notes
from shared.mail.address_list import read_addresses
from shared.mail.body import decode_body
from shared.mail.edits import Edit
from shared.mail.header import Field, decode_words, encode_words, fold, read_fields
from shared.mail.mime import Entity
from shared.mail.transfer import IDENTITIES
from shared.mail.unlabelled import read_unlabelled

_POSTMASTERS = frozenset({"postmaster", "mailer-daemon"})
_NOTES_DIAGNOSTIC = re.compile(r"x-notes\s*;\s*(.*)", re.IGNORECASE | re.DOTALL)
_MAX_SHOWN = 20_000  # characters of the text for people that are searched for each recipient
_FOLD = re.compile(rb"\r?\n[ \t]?")
_SMTP_TYPE = re.compile(rb"[ \t]*(smtp)[ \t]*;", re.IGNORECASE)


def _report_edits(message: StepMessage, report: Entity, default: str | None) -> Iterator[Edit]:
    content = message.content
    texts = [part for part in report.children if part.content_type.startswith("text/") and not part.children]
    charset = next((part.parameters["charset"] for part in texts if "charset" in part.parameters), default)
    shown = _squeezed(
        " ".join(read_unlabelled(decode_body(content, part), charset) or "" for part in texts)[:_MAX_SHOWN]
    )
    for part in report.children:
        is_open = not part.is_protected and part.transfer_encoding in IDENTITIES
        if part.content_type == "message/delivery-status" and is_open:
            for group in _groups(content, part):
                yield from _group_edits(content, group, charset, shown)


def _groups(content: bytes, part: Entity) -> Iterator[tuple[Field, ...]]:
    """Yield the fields of the message, then those of each recipient (RFC 3464 section 2.1); empty lines part them."""
    before = content[: part.end]
    position = part.body_start
    while position < part.end:
        fields, following = read_fields(before, position, part.end)
        if fields:
            yield fields
        if following <= position:
            return
        position = following


def _group_edits(content: bytes, group: tuple[Field, ...], charset: str | None, shown: str) -> Iterator[Edit]:
    by_name = {field.name: field for field in reversed(group)}
    diagnostic = by_name.get("diagnostic-code")
    if diagnostic is None:
        return
    raw = diagnostic.raw(content)
    reason = _reason(raw, charset, shown)
    if reason is None:
        return
    if not raw.isascii() or b"\x1b" in raw or reason != _unfolded(raw, b" ", charset):
        new = fold("Diagnostic-Code", f"X-Notes; {encode_words(reason)}")
        if new != content[diagnostic.start : diagnostic.end]:
            yield Edit(diagnostic.start, diagnostic.end, new)
    status = by_name.get("status")
    if status and status.value(content) == UNKNOWN and (better := status_of(reason)) != UNKNOWN:
        yield Edit(status.value_start, status.value_start + len(status.raw(content)), f" {better}".encode("ascii"))
    remote = by_name.get("remote-mta")
    if remote and (found := _SMTP_TYPE.match(content, remote.value_start, remote.end)):
        yield Edit(found.start(1), found.end(1), b"dns")


def _reason(raw: bytes, charset: str | None, shown: str) -> str | None:
    """Return the words of an X-Notes diagnostic, else None; a fold inside a word is removed if `shown` has the word."""
    parted, joined = _unfolded(raw, b" ", charset), _unfolded(raw, b"", charset)
    if joined is not None and (parted is None or (parted not in shown and joined in shown)):
        return joined
    return parted


def _unfolded(raw: bytes, blank: bytes, charset: str | None) -> str | None:
    text = read_unlabelled(_FOLD.sub(blank, raw).strip(), charset)
    found = _NOTES_DIAGNOSTIC.match(text) if text else None
    return _squeezed(decode_words(found[1])) if found else None


def _squeezed(text: str) -> str:
    return " ".join(text.split())


def _hoisted(message: StepMessage, root: Entity, report: Entity) -> Iterator[Edit]:
    """Yield the edits that make a wrapped report the message itself."""
    outer, inner = root.find("content-type"), report.find("content-type")
    if outer and inner:
        yield Edit(outer.start, outer.end, message.content[inner.start : inner.end])
        yield Edit(root.body_start, report.body_start, b"")
        if message.content[report.end : root.end] != b"\r\n":
            yield Edit(report.end, root.end, b"\r\n")


def _wrapped_report(root: Entity) -> Entity | None:
    if root.content_type != "multipart/mixed" or len(root.children) != 1:
        return None
    return root.children[0] if root.children[0].content_type == "multipart/report" else None


def _is_from_postmaster(message: StepMessage, context: Context) -> bool:
    field = message.root.find("from")
    mailboxes = read_addresses(message.content, field.value_start, field.end) if field else ()
    return context.envelope.sender is None or any(
        mailbox.address.partition("@")[0].lower() in _POSTMASTERS for mailbox in mailboxes
    )


def _applies(message: StepMessage, context: Context) -> bool:
    root = message.root
    if not leaves_notes(context) or root.is_protected:
        return False
    is_report = root.content_type == "multipart/report" or _wrapped_report(root) is not None
    return is_report or (root.content_type == "text/plain" and _is_from_postmaster(message, context))


def _edits(message: StepMessage, context: Context) -> tuple[Edit, ...]:
    root = message.root
    if root.content_type == "text/plain":
        return tuple(sorted(made_report(message.content, root, context)))
    wrapped = _wrapped_report(root)
    report = wrapped or root
    edits = list(_report_edits(message, report, context.source.default_charset))
    if wrapped and (edits or _is_notes_report(message, wrapped)):
        edits += _hoisted(message, root, wrapped)
    return tuple(sorted(edits))


def _is_notes_report(message: StepMessage, report: Entity) -> bool:
    return any(
        field.name == "diagnostic-code" and _NOTES_DIAGNOSTIC.match(field.value(message.content))
        for part in report.children
        if part.content_type == "message/delivery-status"
        for group in _groups(message.content, part)
        for field in group
    )


STEP = Step(
    name="domino_bounces",
    description="Bounces of Domino and Notes become delivery reports with a specific status.",
    applies=_applies,
    change=_edits,
    on_failure="pass",
)
