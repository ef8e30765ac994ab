"""What becomes of a calendar part that cannot be converted: it stays as it is, and its organizer is told, once.

Its addresses become public all the same, in the step `addresses`. The reason stands in the report of the step, and so
in the message's history.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime

from services.transform.calendar.authority import senders_of
from services.transform.calendar.memory import digest_of
from services.transform.calendar.part import Place, read_text
from services.transform.pipeline import Context, ExtraMessage, StepMessage, StepResult
from shared.mail.header import encode_words, fold
from shared.mail.transfer import encode_text
from shared.spool.memory import Remember

_UNFOLD = re.compile(r"(?:\r\n|\r|\n)[ \t]")
_ADDRESS = re.compile(r"[^\s@:;,<>\"'()]{1,128}@[A-Za-z0-9][A-Za-z0-9.-]{0,253}")
_ORGANIZER = re.compile(r"^ORGANIZER[^\r\n]*", re.IGNORECASE | re.MULTILINE)
_UID = re.compile(r"^UID[^:\r\n]*:([^\r\n]*)", re.IGNORECASE | re.MULTILINE)
_SUBJECT = "A meeting could not be converted"
_TEXT = (
    "The mail gateway could not convert this meeting for the other mail system: {reason}\n\n"
    "The people invited there got the message, but the meeting may not appear in their calendars. Please check with\n"
    "them, or invite them again.\n\n{subject}\n"
)


def unconverted(
    message: StepMessage, context: Context, places: Sequence[Place], failure: Exception, done: StepResult | None = None
) -> StepResult:
    """Return what becomes of calendar parts that failed. done: what the step makes of the others."""
    done = done or StepResult()
    extra_messages, memories = tell_organizer(message, context, places, f"{failure}" or type(failure).__name__)
    return StepResult(
        done.edits, (*done.extra_messages, *extra_messages), (*done.memories, *memories), done.failure or failure
    )


def tell_organizer(
    message: StepMessage, context: Context, places: Iterable[Place], reason: str
) -> tuple[tuple[ExtraMessage, ...], tuple[Remember, ...]]:
    """Return the notice for an organizer who sent a meeting that cannot be converted, and that they were told of it."""
    sender, senders = context.envelope.sender, set(senders_of(message, context))
    for place in places:
        text = _UNFOLD.sub("", read_text(message.content, place.entity))
        organizers = [one for line in _ORGANIZER.findall(text) for one in _ADDRESS.findall(line)]
        public = {context.router.public(one).casefold() for one in organizers}
        if sender and public & senders:
            uid = next(iter(_UID.findall(text)), "")
            key = f"unconverted:{context.destination.name}:{digest_of(uid.strip(), *sorted(public))}"
            known = context.recall(key)
            if known.value:
                return (), ()
            expires_at = context.now + context.settings.series_memory.total_seconds()
            return (_notice(message, context, reason, sender),), (
                Remember(key, known.version, {"format": 1}, expires_at),
            )
    return (), ()


def _notice(message: StepMessage, context: Context, reason: str, to: str) -> ExtraMessage:
    field = message.root.find("subject")
    subject = " ".join(field.value(message.content).split()) if field else ""
    charset, encoding, body = encode_text(_TEXT.format(reason=reason[:200], subject=subject))
    id = digest_of(context.envelope.id, context.destination.name, reason, length=32)
    header = (
        fold("From", f"Calendar gateway <MAILER-DAEMON@{context.hostname}>")
        + fold("To", context.router.public(to))
        + fold("Subject", encode_words(f"{_SUBJECT}: {subject}" if subject else _SUBJECT))
        + fold("Date", format_datetime(datetime.fromtimestamp(int(context.now), UTC)))
        + fold("Message-ID", f"<{id}@{context.hostname}>")
        + b"Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
        + fold("Content-Type", f"text/plain; charset={charset}")
        + fold("Content-Transfer-Encoding", encoding)
    )
    return context.extra_message(header + b"\r\n" + body, (to,), is_notice=True)
