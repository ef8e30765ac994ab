"""The content of a TNEF stream: class, subject, people, body, attachments, and messages inside attachments.

Nothing is interpreted here except which attribute or property holds a value; if both do, the property has priority,
because it is more often Unicode. A message nested too deep stays an attachment of opaque bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from uuid import UUID

from services.transform.tnef import codepage as codepages
from services.transform.tnef import ole, rtf_compression
from services.transform.tnef.cursor import Cursor, CutShort
from services.transform.tnef.properties import Properties, read_properties, read_table
from services.transform.tnef.stream import ATTACHMENT, MESSAGE, Attribute, read_stream
from shared.errors import MalformedTnef
from shared.mail.budget import UNLIMITED, Budget

MAX_DEPTH = 8

# Attributes (MS-OXTNEF section 2.1.3.2), by the low half of their number.
_FROM, _SUBJECT, _DATE_SENT, _MESSAGE_CLASS, _BODY = 0x8000, 0x8004, 0x8005, 0x8008, 0x800C
_DATE_START, _DATE_END, _OEM_CODEPAGE, _PROPERTIES, _RECIPIENTS = 0x0006, 0x0007, 0x9007, 0x9003, 0x9004
_DATA, _TITLE, _TRANSPORT_NAME, _RENDERING, _ATTACHMENT = 0x800F, 0x8010, 0x9001, 0x9002, 0x9005

# Properties (MS-OXPROPS).
_CLASS, _PR_SUBJECT, _SUBJECT_PREFIX, _TOPIC, _NORMALIZED = 0x001A, 0x0037, 0x003D, 0x0070, 0x0E1D
_PR_BODY, _PR_RTF, _PR_HTML, _INTERNET_CODEPAGE = 0x1000, 0x1009, 0x1013, 0x3FDE
_DATA_OBJECT, _SHORT_NAME, _METHOD, _LONG_NAME, _LINK = 0x3701, 0x3704, 0x3705, 0x3707, 0x370D
_MIME_TAG, _CONTENT_ID, _CONTENT_LOCATION, _DISPLAY_NAME = 0x370E, 0x3712, 0x3713, 0x3001
_ADDRESS_TYPE, _ADDRESS, _SMTP_ADDRESS, _RECIPIENT_TYPE, _RECIPIENT_FLAGS = 0x3002, 0x3003, 0x39FE, 0x0C15, 0x5FFD

# MS-OXCMSG section 2.2.2.9; a web reference (7) and a link (2 to 4) hold no bytes, only where those are.
_BY_VALUE, _EMBEDDED, _OLE = 1, 5, 6
_LINKS = frozenset((2, 3, 4, 7))

_IID_MESSAGE = UUID("00020307-0000-0000-c000-000000000046")
_OLD_CLASSES = {  # MS-OXTNEF section 2.1.3.3.16, in lower case
    "ipm.microsoft mail.note": "IPM.Note",
    "ipm.microsoft mail.read receipt": "REPORT.IPM.Note.IPNRN",
    "ipm.microsoft mail.non-delivery": "REPORT.IPM.Note.NDR",
    "ipm.microsoft schedule.mtgreq": "IPM.Schedule.Meeting.Request",
    "ipm.microsoft schedule.mtgrespp": "IPM.Schedule.Meeting.Resp.Pos",
    "ipm.microsoft schedule.mtgrespn": "IPM.Schedule.Meeting.Resp.Neg",
    "ipm.microsoft schedule.mtgrespa": "IPM.Schedule.Meeting.Resp.Tent",
    "ipm.microsoft schedule.mtgcncl": "IPM.Schedule.Meeting.Canceled",
}


@dataclass(frozen=True, slots=True)
class Person:
    """A person in a stream. address: an Internet address, or "" if only Exchange knows it."""

    name: str
    address: str
    role: str = "to"  # to, cc, bcc; in a meeting: required, optional, resource
    is_organizer: bool = False


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file, or the `message` that is attached. content_type, content_id (bare): "" if unknown."""

    name: str
    content_type: str = ""
    content_id: str = ""
    content_location: str = ""
    octets: bytes = b""
    message: TnefMessage | None = None


@dataclass(frozen=True, slots=True)
class TnefMessage:
    """One message of a stream. html, rtf: None if absent. damage: one line for each unreadable element."""

    message_class: str
    subject: str
    properties: Properties
    sender: Person | None = None
    sent_at: datetime | None = None
    start: datetime | None = None
    end: datetime | None = None
    text: str = ""
    html: str | None = None
    rtf: bytes | None = None
    recipients: tuple[Person, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    damage: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether everything could be read, including attached messages."""
        return not self.damage and all(attached.message.is_whole for attached in self.attachments if attached.message)

    def is_of(self, *classes: str) -> bool:
        """Whether the message is of one of the classes, or of a class derived from one; in any case of letters."""
        own = self.message_class.lower()
        return any(own == name or own.startswith(f"{name}.") for name in map(str.lower, classes))

    @property
    def topic(self) -> str:
        """The subject without `RE:`, `Accepted:` and the like, if the stream contains the prefix."""
        if prefix := self.properties.text(_SUBJECT_PREFIX):
            return self.subject.removeprefix(prefix).strip()
        topic = self.properties.text(_NORMALIZED, _TOPIC)
        return topic if topic and self.subject.endswith(topic) else self.subject


def read_message(octets: bytes, budget: Budget = UNLIMITED, *, start: int = 0, depth: int = 0) -> TnefMessage:
    """Return the message of a stream, with its damage in `damage`. Raises MalformedTnef if it is not a stream.

    start: where the stream begins. Raises BudgetExceeded where messages attached to one another repeat too much: each
    holds all that is in it once more.
    """
    stream = read_stream(octets, start)
    values = {a.id: a.octets for a in reversed(stream.attributes) if a.level == MESSAGE}
    codepage = int.from_bytes(values.get(_OEM_CODEPAGE, b"")[:4], "little") or 1252
    properties = read_properties(Cursor(values[_PROPERTIES]), codepage) if _PROPERTIES in values else Properties()
    recipients, recipient_damage = read_table(values[_RECIPIENTS], codepage) if _RECIPIENTS in values else ((), ())
    attachments: list[Attachment] = []
    damage = [*stream.damage, *properties.damage, *recipient_damage]
    for attributes in _by_attachment(stream.attributes):
        attachment, wrong = _attachment(attributes, codepage, budget, depth)
        damage += wrong
        attachments += [attachment] if attachment else []
    rtf, rtf_damage = (
        rtf_compression.decompress(compressed) if (compressed := properties.octets(_PR_RTF)) else (b"", ())
    )
    damage += rtf_damage

    def attribute(id: int) -> str:
        return codepages.decode(values.get(id, b"").partition(b"\0")[0], codepage)

    return TnefMessage(
        message_class=_message_class(properties.text(_CLASS), attribute(_MESSAGE_CLASS)),
        subject=properties.text(_PR_SUBJECT) or attribute(_SUBJECT),
        properties=properties,
        sender=_sender(properties, values.get(_FROM, b""), codepage),
        sent_at=properties.moment(0x0039) or _date(values.get(_DATE_SENT)),
        start=_date(values.get(_DATE_START)),
        end=_date(values.get(_DATE_END)),
        text=properties.text(_PR_BODY) or attribute(_BODY),
        html=_html(properties, codepage),
        rtf=rtf or None,
        recipients=tuple(map(_recipient, recipients)),
        attachments=tuple(attachments),
        damage=tuple(damage),
    )


def _message_class(written: str, old: str) -> str:
    return written or _OLD_CLASSES.get(old.lower(), old) or "IPM.Note"


def _html(properties: Properties, codepage: int) -> str | None:
    octets = properties.octets(_PR_HTML)
    if octets:
        return codepages.decode(octets.rstrip(b"\0"), properties.number(_INTERNET_CODEPAGE) or codepage)
    return properties.text(_PR_HTML) or None


def _date(octets: bytes | None) -> datetime | None:
    """Read a date of an attribute (MS-OXTNEF section 2.1.3.1), taken as UTC.

    Exchange writes UTC; Outlook writes local time of an unknown zone, but also has the same date as a property.
    """
    try:
        cursor = Cursor(octets or b"")
        year, month, day, hour, minute, second = (cursor.u16() for _ in range(6))
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC) if 1601 < year < 8600 else None
    except (CutShort, ValueError):
        return None


def _internet_address(properties: Properties, type: int, address: int, *smtp: int) -> str:
    found = properties.text(*smtp)
    if not found and properties.text(type).upper() in ("SMTP", ""):
        found = properties.text(address)
    return found.strip() if "@" in found and not found.startswith("/") else ""


def _sender(properties: Properties, attribute: bytes, codepage: int) -> Person | None:
    """Return the sender: the represented person, else the sending person, else the attribute attFrom."""
    for name, type, address, smtp in ((0x0042, 0x0064, 0x0065, 0x5D02), (0x0C1A, 0x0C1E, 0x0C1F, 0x5D01)):
        person = Person(properties.text(name), _internet_address(properties, type, address, smtp))
        if person.name or person.address:
            return person
    try:
        cursor = Cursor(attribute, 4)  # MS-OXTNEF section 2.1.3.3.9: a structure that names both, and their lengths
        name_length, address_length = cursor.u16(), cursor.u16()
        display_name = codepages.decode(cursor.take(name_length).partition(b"\0")[0], codepage)
        where = codepages.decode(cursor.take(address_length).partition(b"\0")[0], codepage)
    except CutShort:
        return None
    return Person(display_name, where.removeprefix("SMTP:") if where.upper().startswith("SMTP:") else "")


def _recipient(row: Properties) -> Person:
    role = {2: "cc", 3: "bcc"}.get((row.number(_RECIPIENT_TYPE) or 1) & 0xF, "to")
    address = _internet_address(row, _ADDRESS_TYPE, _ADDRESS, _SMTP_ADDRESS)
    return Person(row.text(_DISPLAY_NAME), address, role, bool((row.number(_RECIPIENT_FLAGS) or 0) & 2))


def _by_attachment(attributes: tuple[Attribute, ...]) -> Iterator[dict[int, bytes]]:
    """Yield the attributes of each attachment; its rendering attribute is the first (MS-OXTNEF section 2.1.3)."""
    number = 0

    def belongs_to(attribute: Attribute) -> int:
        nonlocal number
        number += attribute.id == _RENDERING
        return number

    for _, run in groupby((a for a in attributes if a.level == ATTACHMENT), belongs_to):
        yield {attribute.id: attribute.octets for attribute in run}


def _attachment(
    values: dict[int, bytes], codepage: int, budget: Budget, depth: int
) -> tuple[Attachment | None, tuple[str, ...]]:
    """Return an attachment and its damage; None for an empty attachment."""
    properties = read_properties(Cursor(values[_ATTACHMENT]), codepage) if _ATTACHMENT in values else Properties()
    damage = properties.damage

    def attribute(id: int) -> str:
        return codepages.decode(values.get(id, b"").partition(b"\0")[0], codepage)

    name = properties.text(_LONG_NAME) or attribute(_TRANSPORT_NAME) or attribute(_TITLE)
    name = name or properties.text(_SHORT_NAME, _DISPLAY_NAME)
    method = properties.number(_METHOD) or _BY_VALUE
    data_object = properties.octets(_DATA_OBJECT)
    octets = values.get(_DATA, b"") if data_object is None else data_object
    message: TnefMessage | None = None
    content_type = properties.text(_MIME_TAG)
    if method == _EMBEDDED and octets[:16] == _IID_MESSAGE.bytes_le:
        try:
            budget.spend("nested_bytes", len(octets))
            message = read_message(octets, budget, start=16, depth=depth + 1) if depth < MAX_DEPTH else None
            octets = b"" if message else octets[16:]
            damage = damage if message else (*damage, f"messages nested more than {MAX_DEPTH} deep")
        except MalformedTnef as error:
            damage = (*damage, f"attached message: {error}")
        name = name if name != "Untitled Attachment" else properties.text(_DISPLAY_NAME)
    elif method == _OLE:
        name, content_type, octets = ole.what_it_holds(name, octets)
    elif method in _LINKS:
        link = properties.text(_LINK, 0x3708)
        octets, content_type, name = link.encode(), "text/uri-list; charset=utf-8", f"{name or 'link'}.txt"
    if message is None and not octets and _DATA not in values:
        return None, damage
    found = Attachment(
        name=name,
        content_type=content_type,
        content_id=properties.text(_CONTENT_ID).strip("<> "),
        content_location=properties.text(_CONTENT_LOCATION).strip(),
        octets=octets,
        message=message,
    )
    return found, damage
