"""Messages that go out beside a converted one: single meetings of a series, and the notice that one cannot be said."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from icalendar import Component

from services.transform.calendar.part import alternative
from services.transform.pipeline import Context, ExtraMessage, StepMessage
from shared.calendar.ical import text_of
from shared.calendar.recurrence import Expansion
from shared.mail.header import encode_words, fold
from shared.mail.transfer import encode_text

_CARRIED = frozenset(
    {
        *("from", "sender", "reply-to", "to", "cc", "subject", "date"),
        *("importance", "priority", "x-priority", "sensitivity", "thread-topic"),
    }
)
_MAX_LISTED = 30
_MAX_LINE = 998


def meeting_message(message: StepMessage, context: Context, calendar: bytes, method: str, text: str) -> ExtraMessage:
    """Return a message like the converted one, with another calendar, as `meeting_content`. Raises BudgetExceeded."""
    return context.extra_message(meeting_content(message, context, calendar, method, text))


def meeting_content(message: StepMessage, context: Context, calendar: bytes, method: str, text: str) -> bytes:
    """Return the content of a message like the converted one, with another calendar. text: its body.

    Its Message-ID follows from what it says, so that to convert the same message again makes the same one.
    """
    header = b"".join(
        _short(message.content[field.start : field.end]) for field in message.root.fields if field.name in _CARRIED
    )
    header = header if header.endswith(b"\n") or not header else header + b"\r\n"
    digest = hashlib.sha256(b"\0".join((context.envelope.id.encode(), context.destination.name.encode(), calendar)))
    header += fold("Message-ID", f"<{digest.hexdigest()[:32]}@{context.hostname}>")
    return header + b"MIME-Version: 1.0\r\n" + alternative(calendar, method, text)


def notice_message(context: Context, component: Component, dates: Expansion, to: Sequence[str]) -> ExtraMessage:
    """Return the administrator's notice that a recurrence cannot be said on the other side, with its dates."""
    settings = context.settings.unsupported_recurrence_notice
    summary = text_of(component, "SUMMARY")
    instances = dates.instances
    listed = [_line(one.occurrence.start, one.occurrence.end) for one in instances[:_MAX_LISTED]]
    if len(instances) > _MAX_LISTED:
        listed.append("…")
    text = "\r\n".join((settings.text.strip(), "", summary, *listed, ""))
    charset, encoding, body = encode_text(text)
    digest = hashlib.sha256(f"{context.envelope.id}\0{context.destination.name}\0{text}".encode("utf-8", "replace"))
    header = (
        fold("From", f"Calendar gateway <MAILER-DAEMON@{context.hostname}>")
        + fold("To", ", ".join(to))
        + fold("Subject", encode_words(f"{settings.subject}: {summary}" if summary else settings.subject))
        + fold("Date", format_datetime(datetime.fromtimestamp(int(context.now), UTC)))
        + fold("Message-ID", f"<{digest.hexdigest()[:32]}@{context.hostname}>")
        + b"Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
        + fold("Content-Type", f"text/plain; charset={charset}")
        + fold("Content-Transfer-Encoding", encoding)
    )
    return context.extra_message(header + b"\r\n" + body, tuple(to), is_notice=True)


def _short(field: bytes) -> bytes:
    """Return a field as it is, or folded anew where a line is too long for a message of our own (RFC 5322 2.1.1)."""
    if max(map(len, field.splitlines())) <= _MAX_LINE:
        return field
    name, _, value = field.decode("utf-8", "surrogateescape").partition(":")
    return fold(name.rstrip(), value)


def _line(start: Any, end: Any) -> str:
    if not isinstance(start, datetime):
        return f"  {start:%Y-%m-%d}"
    return f"  {start:%Y-%m-%d %H:%M} - {end:%H:%M} UTC"
