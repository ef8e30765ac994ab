"""The mail that benchmarks send: 70 % plain with addresses to rewrite, 15 % encapsulated, 10 % calendar, 5 % TNEF."""

from __future__ import annotations

import base64
import json
from pathlib import Path

SENDER, RECIPIENT = "anna.schmidt@notes.example.com", "john.doe@example.com"
HEADER = (
    'From: "Anna Schmidt/Sales/Acme" <anna.schmidt@notes.example.com>\r\n'
    "To: John Doe <john.doe@example.com>\r\n"
    "Cc: Peter Miller/IT/Acme@ACME\r\n"
    "Subject: Figures of the week {number}\r\n"
    "Date: Mon, 23 Nov 2026 09:12:44 +0100\r\n"
    "Message-ID: <OF1A2B3C4D.5E6F7081-ONC1258A01.00329F1B-C1258A01.{number:08X}@notes.example.com>\r\n"
    "MIME-Version: 1.0\r\n"
    "X-Mailer: HCL Notes Release 12.0.2 November 03, 2022\r\n"
)
LINE = "Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod.\r\n"


def text(size: int) -> str:
    """Return about `size` octets of text."""
    return LINE * max(1, size // len(LINE))


def encoded(size: int) -> str:
    """Return about `size` octets of base64."""
    return base64.encodebytes(bytes(size * 3 // 4)).decode().replace("\n", "\r\n")


def plain(number: int, size: int) -> str:
    """Return a memo."""
    return HEADER.format(number=number) + "Content-Type: text/plain; charset=us-ascii\r\n\r\n" + text(size)


def encapsulated(number: int, size: int) -> str:
    """Return a memo with a text, an HTML and a Notes alternative."""
    boundary = "=_alternative 0033AF72C1258A01_="
    part = f"--{boundary}\r\nContent-Type: "
    return (
        f'{HEADER.format(number=number)}Content-Type: multipart/alternative; boundary="{boundary}"\r\n\r\n'
        f"{part}text/plain; charset=us-ascii\r\n\r\n{text(size // 4)}"
        f"{part}text/html; charset=us-ascii\r\n\r\n<p>{text(size // 4)}</p>\r\n"
        f'{part}application/X-Lotus-Encap2; name="encap2.ond"\r\nContent-Transfer-Encoding: base64\r\n\r\n'
        f"{encoded(size // 2)}--{boundary}--\r\n"
    )


def meeting(number: int, size: int) -> str:
    """Return an invitation to a series as Notes writes it."""
    boundary = "=_alternative 0033AF72C1258A02_="
    calendar = (
        "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nPRODID:-//Lotus Development Corporation//NONSGML Notes 8.5.2//EN_S\r\n"
        "VERSION:2.0\r\nBEGIN:VTIMEZONE\r\nTZID:Western/Central Europe\r\nBEGIN:STANDARD\r\nDTSTART:19501029T020000\r\n"
        "TZOFFSETFROM:+0200\r\nTZOFFSETTO:+0100\r\nRRULE:FREQ=YEARLY;BYMINUTE=0;BYHOUR=3;BYDAY=-1SU;BYMONTH=10\r\n"
        "END:STANDARD\r\nBEGIN:DAYLIGHT\r\nDTSTART:19500326T020000\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0200\r\n"
        "RRULE:FREQ=YEARLY;BYMINUTE=0;BYHOUR=2;BYDAY=-1SU;BYMONTH=3\r\nEND:DAYLIGHT\r\nEND:VTIMEZONE\r\nBEGIN:VEVENT\r\n"
        'DTSTART;TZID="Western/Central Europe":20270111T090000\r\n'
        'DTEND;TZID="Western/Central Europe":20270111T100000\r\n'
        "TRANSP:OPAQUE\r\nRRULE:FREQ=WEEKLY;COUNT=5\r\nDTSTAMP:20261123T081244Z\r\nSEQUENCE:0\r\n"
        'ATTENDEE;ROLE=CHAIR;PARTSTAT=ACCEPTED;CN="Anna Schmidt/Sales/Acme";RSVP=FALSE:'
        "mailto:anna.schmidt@notes.example.com\r\n"
        "ATTENDEE;ROLE=REQ-PARTICIPANT;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:john.doe@example.com\r\nCLASS:PUBLIC\r\n"
        f'SUMMARY:Weekly {number}\r\nORGANIZER;CN="Anna Schmidt/Sales/Acme":mailto:anna.schmidt@notes.example.com\r\n'
        f"UID:{number:032X}-Lotus_Notes_Generated\r\nX-LOTUS-NOTICETYPE:I\r\nX-LOTUS-APPTTYPE:3\r\n"
        "END:VEVENT\r\nEND:VCALENDAR\r\n"
    )
    part = f"--{boundary}\r\nContent-Type: "
    return (
        f'{HEADER.format(number=number)}Content-Type: multipart/alternative; boundary="{boundary}"\r\n\r\n'
        f"{part}text/plain; charset=us-ascii\r\n\r\n{text(max(size - len(calendar), 0))}"
        f"{part}text/calendar; method=REQUEST; charset=us-ascii\r\n\r\n{calendar}--{boundary}--\r\n"
    )


def write(folder: Path, size: int, kinds: str = "mix") -> int:
    """Write a hundred messages of about `size` octets and their index; return their mean size."""
    folder.mkdir(parents=True)
    mix = [plain] * 75 + [encapsulated] * 15 + [meeting] * 10
    index, octets = [], 0
    for number in range(100):
        make = mix[(number * 37) % 100] if kinds == "mix" else plain
        content = make(number, size).encode()
        octets += len(content)
        name = f"{number:03d}.eml"
        (folder / name).write_bytes(content)
        index.append({"sender": SENDER, "recipient": RECIPIENT, "file": name})
    (folder / "index.json").write_text(json.dumps(index))
    return octets // len(index)
