"""Readable text for streams that have no text of their own: receipts, reports, contacts, distribution lists."""

from __future__ import annotations

from collections.abc import Iterable

from services.transform.tnef.cursor import Cursor, CutShort
from services.transform.tnef.message import TnefMessage
from services.transform.tnef.properties import PSETID_ADDRESS, Key, Properties
from services.transform.tnef.receipt import is_receipt, was_read

_REPORT_TEXT, _ORIGINAL_SUBJECT, _ORIGINAL_RECIPIENT, _ORIGINAL_SENT, _REPORT_TIME = (
    *(0x1001, 0x0049, 0x0074, 0x004E),
    0x0032,
)
_RECEIPT_TIME = 0x002A
_CONTACT: tuple[tuple[str, tuple[Key, ...]], ...] = (  # MS-OXOCNTC section 2.2.1
    ("Name", (0x3001,)),
    ("Title", (0x3A17,)),
    ("Company", (0x3A16,)),
    ("Department", (0x3A18,)),
    ("E-mail", ((PSETID_ADDRESS, 0x8083),)),
    ("E-mail 2", ((PSETID_ADDRESS, 0x8093),)),
    ("E-mail 3", ((PSETID_ADDRESS, 0x80A3),)),
    ("Business phone", (0x3A08,)),
    ("Business phone 2", (0x3A1B,)),
    ("Mobile phone", (0x3A1C,)),
    ("Home phone", (0x3A09,)),
    ("Business fax", (0x3A24,)),
    ("Business address", ((PSETID_ADDRESS, 0x801B),)),
    ("Home address", ((PSETID_ADDRESS, 0x801A),)),
    ("Other address", ((PSETID_ADDRESS, 0x801C),)),
    ("Web page", ((PSETID_ADDRESS, 0x802B), 0x3A51)),
)
_LIST_NAME, _LIST_MEMBERS = (PSETID_ADDRESS, 0x8053), (PSETID_ADDRESS, 0x8054)


def summary(message: TnefMessage) -> str:
    """Return the content of the stream as readable lines, or an empty string for an unknown class."""
    properties = message.properties
    if message.message_class.lower().startswith("report."):
        return "\n".join(_report(message))
    if message.is_of("IPM.Contact"):
        return "\n".join(_lines(properties, _CONTACT))
    if message.is_of("IPM.DistList"):
        name = properties.text(_LIST_NAME, 0x3001)
        members = [member for octets in properties.runs(_LIST_MEMBERS) if (member := _member(octets))]
        return "\n".join([f"Distribution list: {name}", *members])
    return ""


def _lines(properties: Properties, wanted: Iterable[tuple[str, tuple[Key, ...]]]) -> list[str]:
    found = ((name, properties.text(*keys).strip()) for name, keys in wanted)
    return [f"{name}: {value}" for name, value in found if value]


def _report(message: TnefMessage) -> list[str]:
    properties = message.properties
    if is_receipt(message):
        lines = ["Your message was read." if was_read(message) else "Your message was deleted without being read."]
    else:
        lines = ["This is a report about your message."]
    if text := properties.text(_REPORT_TEXT):
        lines.append(text)
    lines.append("")
    lines += _lines(properties, (("To", (_ORIGINAL_RECIPIENT,)), ("Subject", (_ORIGINAL_SUBJECT,))))
    for name, moment in (
        ("Sent", properties.moment(_ORIGINAL_SENT)),
        ("On", properties.moment(_REPORT_TIME, _RECEIPT_TIME)),
    ):
        if moment:
            lines.append(f"{name}: {moment:%Y-%m-%d %H:%M} UTC")
    return lines


def _member(octets: bytes) -> str:
    """Return a member of a list from its one-off entry id (MS-OXCDATA section 2.2.5.1): name and address."""
    try:
        cursor = Cursor(octets, 22)
        is_unicode = bool(cursor.u16() & 0x8000)
    except CutShort:
        return ""
    rest = octets[cursor.position :]
    text = rest.decode("utf-16-le", "replace") if is_unicode else rest.decode("cp1252", "replace")
    name, _type, address = (*text.split("\0"), "", "", "")[:3]
    return f"{name} <{address}>" if address and address != name else name
