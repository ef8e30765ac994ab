"""What becomes of a calendar part that cannot be converted: its addresses are public all the same, and it is said.

The part's text stays as it is but for addresses and Notes names. Its organizer is told once, where they sent it; the
reason stands in the report of the step.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import format_datetime

from services.transform.calendar.memory import digest_of
from services.transform.calendar.part import Place, read_text, replace_calendar
from services.transform.pipeline import Context, Further, StepMessage
from shared.mail.edits import Edit
from shared.mail.header import encode_words, fold
from shared.mail.transfer import encode_text
from shared.routing.notes_address import NotesName
from shared.routing.router import Router
from shared.spool.memory import Remember

_UNFOLD = re.compile(r"(?:\r\n|\r|\n)[ \t]")
_LINE_END = re.compile(r"\r\n|\r|\n")
_ADDRESS = re.compile(r"[^\s@:;,<>\"'()]{1,128}@[A-Za-z0-9][A-Za-z0-9.-]{0,253}")
_NAME = re.compile(r"(?<=[;:,\"])(?:CN=|CN=\")?[^;:,\"\r\n=]{1,64}(?:/[^;:,\"\r\n/]{1,64}){1,8}", re.IGNORECASE)
_PERSON = re.compile(r"(?:ORGANIZER|ATTENDEE)[;:]", re.IGNORECASE)
_ORGANIZER = re.compile(r"^ORGANIZER[^\r\n]*", re.IGNORECASE | re.MULTILINE)
_UID = re.compile(r"^UID[^:\r\n]*:([^\r\n]*)", re.IGNORECASE | re.MULTILINE)
_METHOD = re.compile(r"^METHOD[^:\r\n]*:[ \t]*([A-Za-z]+)", re.IGNORECASE | re.MULTILINE)
_SUBJECT = "A meeting could not be converted"
_TEXT = (
    "The mail gateway could not convert this meeting for the other mail system: {reason}\n\n"
    "The people invited there got the message, but the meeting may not appear in their calendars. Please check with\n"
    "them, or invite them again.\n\n{subject}\n"
)
_LONGEST_LINE = 75


def with_public_addresses(message: StepMessage, place: Place, router: Router) -> list[Edit]:
    """Return the edits that make every address in a calendar part public; none where all are."""
    text = read_text(message.content, place.entity)
    published = _published(_UNFOLD.sub("", text), router)
    if published == _UNFOLD.sub("", text):
        return []
    method = place.entity.parameters.get("method", "") or next(iter(_METHOD.findall(text)), "")
    return replace_calendar(message.content, place, published_lines(published), method.upper())


def published_lines(text: str) -> bytes:
    """Return content lines folded, in UTF-8 with CRLF."""
    return b"".join(_folded(line) for line in _LINE_END.split(text) if line)


def tell_organizer(
    message: StepMessage, context: Context, places: Iterable[Place], reason: str, senders: tuple[str, ...]
) -> tuple[tuple[Further, ...], tuple[Remember, ...]]:
    """Return the notice for an organizer who sent a meeting that cannot be converted, and that they were told of it."""
    sender = context.envelope.sender
    for place in places:
        text = _UNFOLD.sub("", read_text(message.content, place.entity))
        organizers = [one for line in _ORGANIZER.findall(text) for one in _ADDRESS.findall(line)]
        public = {context.router.public(one).casefold() for one in organizers}
        if sender and public & set(senders):
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


def _published(text: str, router: Router) -> str:
    text = _ADDRESS.sub(lambda found: router.public(found[0]), text)
    return "\n".join(
        _NAME.sub(lambda found: _common(found[0]), line) if _PERSON.match(line) else line
        for line in _LINE_END.split(text)
    )


def _common(name: str) -> str:
    """Return the name that people call somebody by for a hierarchical one of Notes."""
    opening = re.match(r'(?:CN="?)?', name, re.IGNORECASE)
    start = opening.end() if opening else 0
    notes = NotesName.parse(name[start:])
    return name[:start] + notes.parts[0] if notes and len(notes.parts) > 1 else name


def _folded(line: str) -> bytes:
    folded, room = [b""], _LONGEST_LINE
    for letter in line:
        octets = letter.encode("utf-8", "replace")
        if len(octets) > room:
            folded.append(b"\r\n ")
            room = _LONGEST_LINE - 1
        folded.append(octets)
        room -= len(octets)
    return b"".join(folded) + b"\r\n"


def _notice(message: StepMessage, context: Context, reason: str, to: str) -> Further:
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
    return Further(header + b"\r\n" + body, (to,), is_notice=True)
