"""The replacement of a TNEF message: alternatives of a body, and attachments, as MIME entities."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from html import escape

from services.transform.html import text as html_text
from services.transform.tnef import rtf_convert, rtf_html
from services.transform.tnef.carrier import Carrier, carrier_of
from services.transform.tnef.icalendar_object import CalendarObject
from services.transform.tnef.meeting import Body, is_meeting, meeting_object
from services.transform.tnef.message import Attachment, Person, TnefMessage
from services.transform.tnef.parts import Part, file_part, message_part, multipart, text_part
from services.transform.tnef.receipt import notification
from services.transform.tnef.summary import summary
from services.transform.tnef.task import is_task, task_itself, task_object, task_text
from shared.mail.address import Address
from shared.mail.address_list import write_name
from shared.mail.encoded_words import encode_words
from shared.mail.header import fold

# The changed occurrences of a series are attached to it as messages too (MS-OXOCAL section 2.2.10.1).
_EXCEPTION_CLASS = "IPM.OLE.CLASS.{00061055-0000-0000-C000-000000000046}"
_MESSAGE_ID = 0x1035
_BODY_TAG = re.compile(r"<body\b[^<>]*+>", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Content:
    """The content of a stream. text: readable, "" if absent. html: a text/html, or a multipart/related with it.

    stand_in: the text to show if there is neither. notification: the fields of a receipt. is_whole: whether the stream
    was converted completely.
    """

    text: str = ""
    html: Part | None = None
    calendar: Part | None = None
    attachments: tuple[Part, ...] = ()
    stand_in: str = ""
    notification: bytes | None = None
    is_whole: bool = True

    def body(self) -> Part | None:
        """Return the body as one entity, its poorest form first (RFC 2046 section 5.1.4); None where there is none."""
        shown = self.text or ("" if self.html else self.stand_in)
        forms = [form for form in (text_part(shown) if shown else None, self.html, self.calendar) if form]
        if len(forms) > 1:
            return multipart("alternative", [bytes(form) for form in forms])
        return next(iter(forms), None)

    def entity(self, *further: bytes) -> Part:
        """Return everything as one entity. further: parts to append."""
        if self.notification and not self.attachments:
            return self.report(bytes(text_part(self.text)), *further)
        body = self.body()
        parts = [*([bytes(body)] if body else []), *map(bytes, self.attachments), *further]
        if len(parts) > 1 or (parts and not body):
            return multipart("mixed", parts)
        return body or text_part("")

    def report(self, shown: bytes, *further: bytes) -> Part:
        """Return a receipt as a report (RFC 8098 section 3). shown: the part that people read."""
        fields = b"Content-Type: message/disposition-notification\r\n\r\n" + (self.notification or b"")
        return multipart("report", [shown, fields, *further], "; report-type=disposition-notification")


def content_of(message: TnefMessage, carrier: Carrier, now: datetime) -> Content:
    """Return the content of a stream. carrier: the header of the message around it."""
    carrier, message = carrier.completed(message)
    text, html, pictures = _body(message)
    calendar: CalendarObject | None = None
    is_whole = message.is_whole
    consumed: TnefMessage | None = None
    has_facts = bool(text) and message.is_of("REPORT")  # whether its own text contains the facts
    try:
        if is_meeting(message):
            calendar = meeting_object(message, carrier, lambda nested: Body(*_body(nested)[:2]), now)
        elif is_task(message):
            task = task_itself(message)
            consumed = None if task is message else task
            described = _body(task)
            calendar = task_object(message, carrier, described[0], described[1], now)
            has_facts = bool(text) and consumed is not None
            text, html, pictures = (text, html, pictures) if has_facts else described
    except ValueError:
        is_whole = False  # a meeting that iCalendar cannot hold: the original goes along
    facts = task_text(message) if is_task(message) else summary(message)
    if facts and not has_facts:
        text, html = f"{facts}\n\n{text}".rstrip(), html and _with_facts(facts, html)
    shown = html_text.references(html or "")
    inline, files = _pictures(pictures), []
    for attached in _attachments(message, consumed):
        if attached.message is None and not shown.isdisjoint({attached.content_id, attached.content_location} - {""}):
            inline.append(_file(attached, is_inline=True))
        else:
            files.append(_file(attached))
    return Content(
        text=text,
        html=_rich(html, inline) if html else None,
        calendar=_calendar_part(calendar) if calendar else None,
        attachments=tuple(files),
        stand_in=message.subject if is_meeting(message) else "",
        notification=notification(message, carrier),
        is_whole=is_whole,
    )


def _body(message: TnefMessage) -> tuple[str, str | None, tuple[rtf_convert.Picture, ...]]:
    """Return text ("" for none), HTML (None for none) and the pictures that only the HTML's source holds."""
    text, html = message.text, message.html
    pictures: tuple[rtf_convert.Picture, ...] = ()
    if html is None and message.rtf:
        if rtf_html.wraps_html(message.rtf):
            html = rtf_html.unwrap(message.rtf)
        elif rtf_html.wraps_text(message.rtf):
            text = text or rtf_html.unwrap(message.rtf)
        else:
            converted = rtf_convert.convert(message.rtf)
            html, pictures = converted.html, converted.pictures
            text = text or converted.text
    if html is not None:
        shown = html_text.to_text(html)
        html = html_text.claim_utf8(html) if shown.strip() or "<img" in html.lower() else None
        text = text if text.strip() else shown
    return text if text.strip() else "", html, pictures


def _with_facts(facts: str, html: str) -> str:
    """Return HTML with the facts in lines at its top."""
    lines = "<br>\r\n".join(map(escape, facts.split("\n")))
    start = body.end() if (body := _BODY_TAG.search(html)) else 0
    return f"{html[:start]}<div>{lines}</div>\r\n<hr>\r\n{html[start:]}"


def _pictures(pictures: tuple[rtf_convert.Picture, ...]) -> list[Part]:
    return [
        file_part(
            picture.octets, picture.content_type, picture.content_id.partition("@")[0], picture.content_id, inline=True
        )
        for picture in pictures
    ]


def _attachments(message: TnefMessage, consumed: TnefMessage | None) -> Iterator[Attachment]:
    """Yield what is attached; of messages that are parts of this one, what is attached to them."""
    for attached in message.attachments:
        inner = attached.message
        if inner and (inner is consumed or inner.is_of(_EXCEPTION_CLASS)):
            yield from inner.attachments
        else:
            yield attached


def _rich(html: str, inline: list[Part]) -> Part:
    part = text_part(html, "html")
    return multipart("related", [bytes(part), *map(bytes, inline)], '; type="text/html"') if inline else part


def _calendar_part(calendar: CalendarObject) -> Part:
    return text_part(calendar.octets.decode(), "calendar", f"; method={calendar.method}")


def _file(attached: Attachment, *, is_inline: bool = False) -> Part:
    if attached.message:
        return message_part(_written(attached.message), attached.name or attached.message.subject)
    return file_part(
        attached.octets,
        attached.content_type,
        attached.name,
        attached.content_id,
        attached.content_location if is_inline else "",
        inline=is_inline,
    )


def _written(message: TnefMessage) -> bytes:
    """Return an attached message as a mail message: the fields in its stream, and its content."""
    carrier = carrier_of(message)
    sent_at = message.sent_at or datetime(1970, 1, 1, tzinfo=UTC)
    fields = [fold("From", _mailbox(carrier.sender or Person("", "")))]
    for name, role in (("To", "to"), ("Cc", "cc")):
        listed = [_mailbox(person) for person in carrier.recipients if person.role == role]
        fields += [fold(name, ", ".join(listed))] if listed else []
    fields.append(fold("Subject", encode_words(" ".join(message.subject.split()))))
    if message.sent_at:
        fields.append(fold("Date", format_datetime(sent_at)))
    message_id = message.properties.text(_MESSAGE_ID).strip()
    if message_id.startswith("<") and message_id.isascii() and message_id.isprintable():
        fields.append(fold("Message-ID", message_id))
    fields.append(b"MIME-Version: 1.0\r\n")
    return b"".join(fields) + bytes(content_of(message, carrier, sent_at).entity())


def _mailbox(person: Person) -> str:
    """Return a person as written in an address field; without an Internet address as an empty group (RFC 6854)."""
    name = write_name(" ".join(person.name.split())).decode() if person.name.strip() else ""
    if Address.is_valid(person.address) and person.address.isascii():
        return f"{name} <{person.address}>" if name else person.address
    return f"{name or 'unknown'}:;"
