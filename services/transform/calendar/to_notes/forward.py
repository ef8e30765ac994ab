"""What people outside Notes are told who forward a Notes meeting to Notes: Notes takes one from its organizer only.

The forwarded message passes; this is sent beside it, to whoever sent it, from the gateway. It is never sent to the null
sender, nor in answer to what a program sent (RFC 3834 section 2), nor to the Internet, where senders are forged.
"""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime
from hashlib import sha256

from icalendar import Calendar

from services.transform.calendar.to_notes.properties import address_of
from services.transform.calendar.uids import is_of_notes
from services.transform.pipeline import Context, ExtraMessage, StepMessage
from shared.calendar.ical import text_of, values_of
from shared.mail.address_list import read_addresses
from shared.mail.header import encode_words, fold
from shared.mail.transfer import encode_text


def forward_notice(calendar: Calendar, message: StepMessage, context: Context) -> ExtraMessage | None:
    """Return what the forwarder of a Notes meeting is told; None where nobody forwarded one, or it is not wanted."""
    text, sender = context.settings.forward_notice, context.envelope.sender
    is_invitation = text_of(calendar, "METHOD").strip().upper() == "REQUEST"
    if text is None or not sender or not is_invitation or context.source.kind != "exchange" or _is_automatic(message):
        return None
    for event in calendar.walk("VEVENT"):
        for organizer in values_of(event, "ORGANIZER")[:1]:
            if _is_of_notes(text_of(event, "UID"), address_of(organizer), context):
                own = (address_of(organizer), address_of(organizer.params.get("SENT-BY", "")))
                if not {_same(sender, context), *_senders(message, context)} & {_same(one, context) for one in own}:
                    name = str(organizer.params.get("CN", "")) or context.router.public(own[0])
                    return _notice(text, text_of(event, "SUMMARY"), name, sender, context)
    return None


def _is_of_notes(uid: str, organizer: str, context: Context) -> bool:
    owner = context.router.recognize(organizer).owner if organizer else None
    return is_of_notes(uid) or (owner is not None and owner.kind == "domino")


def _senders(message: StepMessage, context: Context) -> set[str]:
    """Return who sent the message by its header: Sender says it, where a message is sent in another's name."""
    field = message.root.find("sender") or message.root.find("from")
    mailboxes = read_addresses(message.content, field.value_start, field.end) if field else ()
    return {_same(mailbox.address, context) for mailbox in mailboxes}


def _same(address: str, context: Context) -> str:
    return context.router.public(address).casefold() if address else ""


def _is_automatic(message: StepMessage) -> bool:
    field = message.root.find("auto-submitted")
    return field is not None and field.value(message.content).strip().lower() != "no"


def _notice(text: str, summary: str, organizer: str, sender: str, context: Context) -> ExtraMessage:
    words = {"{summary}": summary, "{organizer}": organizer}
    body = text
    for place, word in words.items():
        body = body.replace(place, " ".join(word.split()))
    charset, encoding, octets = encode_text(body.rstrip() + "\n")
    id = sha256(f"{context.envelope.id} forward".encode()).hexdigest()[:32]
    date = format_datetime(datetime.fromtimestamp(context.now, UTC))
    header = (
        fold("Date", date),
        fold("From", f"Calendar gateway <MAILER-DAEMON@{context.hostname}>"),
        fold("To", context.router.public(sender)),
        fold("Subject", encode_words(f"Forwarded: {' '.join(summary.split())}")),
        fold("Message-ID", f"<{id}@{context.hostname}>"),
        fold("Auto-Submitted", "auto-replied"),
        fold("MIME-Version", "1.0"),
        fold("Content-Type", f"text/plain; charset={charset}"),
        fold("Content-Transfer-Encoding", encoding),
    )
    return context.extra_message(b"".join(header) + b"\r\n" + octets, (sender,), is_notice=True)
