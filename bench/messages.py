"""The mail that benchmarks send: 70 % plain with addresses to rewrite, 15 % encapsulated, 10 % calendar, 5 % TNEF.

Twenty messages make the mix. What is large in them is an attachment (of encapsulated mail half of it Notes' own data,
which Exchange never sees), its bytes random but always the same, so that nothing gains by compressing them. `NUMBER`
stands where each sent message has a number of its own: in its Message-ID, in a meeting's UID, in the field that shows
who sent what when.
"""

from __future__ import annotations

import base64
import json
import random
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from services.demo.gateway import CLIENTS
from tests.support import tnef

NUMBER = b"@NUMBER@"
"""Eight bytes that `numbered` replaces by eight hexadecimal digits."""
NUMBER_FIELD = b"X-Bench-Number: "

ANNA, JOHN, INTERNAL_JOHN = "anna.schmidt@notes.example.com", "john.doe@example.com", "john.doe@exchange.example.com"
NOTES_HEADER = (
    'From: "Anna Schmidt/Sales/Acme" <anna.schmidt@notes.example.com>\r\n'
    "To: John Doe <john.doe@example.com>\r\n"
    "Cc: Peter Miller/IT/Acme@ACME\r\n"
    "Subject: Figures of the week\r\n"
    "Date: Mon, 23 Nov 2026 09:12:44 +0100\r\n"
    "Message-ID: <OF1A2B3C4D.5E6F7081-ONC1258A01.00329F1B-C1258A01.@NUMBER@@notes.example.com>\r\n"
    "X-Bench-Number: @NUMBER@\r\n"
    "MIME-Version: 1.0\r\n"
    "X-Mailer: HCL Notes Release 12.0.2 November 03, 2022\r\n"
)
EXCHANGE_HEADER = (
    'From: "Doe, John" <john.doe@exchange.example.com>\r\n'
    "To: anna.schmidt@example.com\r\n"
    "Subject: Figures of the week\r\n"
    "Date: Mon, 23 Nov 2026 09:12:44 +0100\r\n"
    "Message-ID: <0A1B2C3D4E5F60718293A4B5C6D7E8F9@NUMBER@@exchange.example.com>\r\n"
    "X-Bench-Number: @NUMBER@\r\n"
    "MIME-Version: 1.0\r\n"
)
WORDS = """
    about above across after again agenda annual answer before between board budget build called change city copy
    could customer date does down each early every figures file find first follow from give good great group have
    help here
""".split()  # noqa: SIM905 (a list takes a line a word)
LONGEST_TEXT = 8000
"""Bytes of text in a message; what goes beyond is an attachment."""


def text(size: int, chance: random.Random) -> str:
    """Return about `size` bytes of text in lines, at most LONGEST_TEXT."""
    words = " ".join(chance.choices(WORDS, k=max(1, min(size, LONGEST_TEXT) // 6)))
    return "\r\n".join(textwrap.wrap(words, 72)) + "\r\n"


def encoded(octets: bytes) -> str:
    """Return base64 in lines."""
    return base64.encodebytes(octets).decode().replace("\n", "\r\n")


def data(size: int, chance: random.Random) -> bytes:
    """Return bytes that are about `size` as base64."""
    return chance.randbytes(max(size, 0) * 54 // 74)


def part(content_type: str, body: str) -> str:
    """Return an entity; body: with the rest of its header."""
    return f"Content-Type: {content_type}\r\n{body}"


def multipart(subtype: str, boundary: str, *parts: str) -> str:
    """Return an entity of other entities."""
    inside = "".join(f"--{boundary}\r\n{piece}" for piece in parts)
    return part(f'multipart/{subtype}; boundary="{boundary}"', f"\r\n{inside}--{boundary}--\r\n")


def with_attachment(entity: str, size: int, chance: random.Random) -> str:
    """Return the entity and an attachment so that both have about `size` bytes; the entity alone where it has."""
    missing = size - len(entity)
    if missing < 500:
        return entity
    disposition = 'Content-Disposition: attachment; filename="figures.pdf"\r\nContent-Transfer-Encoding: base64\r\n\r\n'
    attachment = part('application/pdf; name="figures.pdf"', disposition + encoded(data(missing - 300, chance)))
    return multipart("mixed", "=_mixed 0033AF72C1258A00_=", entity, attachment)


def plain(size: int, chance: random.Random) -> str:
    """Return a memo."""
    size -= len(NOTES_HEADER)
    return NOTES_HEADER + with_attachment(
        part("text/plain; charset=us-ascii", f"\r\n{text(size, chance)}"), size, chance
    )


def encapsulated(size: int, chance: random.Random) -> str:
    """Return a memo with a text, an HTML and a Notes alternative, which is half of it."""
    size -= len(NOTES_HEADER)
    notes = f"Content-Transfer-Encoding: base64\r\n\r\n{encoded(data(size // 2, chance))}"
    alternatives = multipart(
        "alternative",
        "=_alternative 0033AF72C1258A01_=",
        part("text/plain; charset=us-ascii", f"\r\n{text(size // 5, chance)}"),
        part("text/html; charset=us-ascii", f"\r\n<p>{text(size // 5, chance)}</p>\r\n"),
        part('application/X-Lotus-Encap2; name="encap2.ond"', notes),
    )
    return NOTES_HEADER + with_attachment(alternatives, size, chance)


CALENDAR = """BEGIN:VCALENDAR
METHOD:REQUEST
PRODID:-//Lotus Development Corporation//NONSGML Notes 8.5.2//EN_S
VERSION:2.0
BEGIN:VTIMEZONE
TZID:Western/Central Europe
BEGIN:STANDARD
DTSTART:19501029T020000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
RRULE:FREQ=YEARLY;BYMINUTE=0;BYHOUR=3;BYDAY=-1SU;BYMONTH=10
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:19500326T020000
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
RRULE:FREQ=YEARLY;BYMINUTE=0;BYHOUR=2;BYDAY=-1SU;BYMONTH=3
END:DAYLIGHT
END:VTIMEZONE
BEGIN:VEVENT
DTSTART;TZID="Western/Central Europe":20270111T090000
DTEND;TZID="Western/Central Europe":20270111T100000
TRANSP:OPAQUE
RRULE:FREQ=WEEKLY;COUNT=5
DTSTAMP:20261123T081244Z
SEQUENCE:0
ATTENDEE;ROLE=CHAIR;PARTSTAT=ACCEPTED;CN="Anna Schmidt/Sales/Acme";RSVP=FALSE:mailto:anna.schmidt@notes.example.com
ATTENDEE;ROLE=REQ-PARTICIPANT;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:john.doe@example.com
CLASS:PUBLIC
SUMMARY:Figures of the week
ORGANIZER;CN="Anna Schmidt/Sales/Acme":mailto:anna.schmidt@notes.example.com
UID:0123456789ABCDEF01234567@NUMBER@-Lotus_Notes_Generated
X-LOTUS-NOTICETYPE:I
X-LOTUS-APPTTYPE:3
END:VEVENT
END:VCALENDAR
""".replace("\n", "\r\n")


def meeting(size: int, chance: random.Random) -> str:
    """Return an invitation to a series as Notes writes it."""
    size -= len(NOTES_HEADER)
    alternatives = multipart(
        "alternative",
        "=_alternative 0033AF72C1258A02_=",
        part("text/plain; charset=us-ascii", f"\r\n{text(size - len(CALENDAR) - 300, chance)}"),
        part("text/calendar; method=REQUEST; charset=us-ascii", f"\r\n{CALENDAR}"),
    )
    return NOTES_HEADER + with_attachment(alternatives, size, chance)


def winmail(size: int, chance: random.Random) -> str:
    """Return a message as Outlook sends it in its own format: the body and a file inside a winmail.dat."""
    size -= len(EXCHANGE_HEADER) + 600
    body = text(size // 4, chance)
    written = body.replace("\r\n", "\\par\r\n")
    held = tnef.message(
        "IPM.Note",
        [tnef.text(0x37, "Figures of the week"), tnef.rtf(b"{\\rtf1\\ansi\\ansicpg1252 %s}" % written.encode())],
        [tnef.attachment(b"figures.pdf", data(size - 2 * len(body), chance))],
    )
    stream = (
        'Content-Disposition: attachment; filename="winmail.dat"\r\nContent-Transfer-Encoding: base64\r\n\r\n'
        + encoded(held)
    )
    return EXCHANGE_HEADER + multipart(
        "mixed",
        "_000_TNEF_",
        part("text/plain; charset=us-ascii", f"\r\n{body}"),
        part('application/ms-tnef; name="winmail.dat"', stream),
    )


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of message. share: how many of twenty. step: the conversion that it is for.

    gone and there: what a converted message holds no more, and what it holds instead.
    """

    name: str
    share: int
    make: Callable[[int, random.Random], str]
    step: str
    gone: tuple[bytes, ...]
    there: tuple[bytes, ...]
    source: str = "notes"
    sender: str = ANNA
    recipient: str = JOHN

    def is_converted(self, content: bytes) -> bool:
        """Whether a message of this kind is what the other side needs."""
        return not any(words in content for words in self.gone) and all(words in content for words in self.there)


INTERNAL, PUBLIC = (ANNA.encode(), b"/IT/Acme@ACME"), (b"<anna.schmidt@example.com>",)
KINDS = (
    Kind("plain", 14, plain, "addresses", INTERNAL, PUBLIC),
    Kind("encapsulated", 3, encapsulated, "encapsulation", (*INTERNAL, b"X-Lotus-Encap"), PUBLIC),
    Kind(
        "calendar",
        2,
        meeting,
        "calendar_to_exchange",
        (*INTERNAL, b'TZID="Western/Central Europe"', b"X-LOTUS-NOTICETYPE"),
        (*PUBLIC, b"BEGIN:VCALENDAR"),
    ),
    Kind(
        "tnef",
        1,
        winmail,
        "tnef",
        (INTERNAL_JOHN.encode(), b"winmail.dat"),
        (b"<john.doe@example.com>", b"figures.pdf"),
        source="exchange",
        sender=INTERNAL_JOHN,
        recipient="anna.schmidt@example.com",
    ),
)
SHARES = sum(kind.share for kind in KINDS)


def mix() -> list[Kind]:
    """Return the twenty kinds in a fixed order without runs of one kind where that can be."""
    kinds = [kind for kind in KINDS for _ in range(kind.share)]
    return [kinds[(number * 7) % SHARES] for number in range(SHARES)]


def numbered(content: bytes, number: int) -> bytes:
    """Return the message with its own number."""
    return content.replace(NUMBER, b"%08X" % number)


def write(folder: Path, size: int, kinds: str = "mix") -> int:
    """Write twenty messages of about `size` bytes and their index; return their mean size. kinds: mix, or one name."""
    folder.mkdir(parents=True)
    index, octets = [], 0
    for number, kind in enumerate(mix()):
        made = kind if kinds == "mix" else next(candidate for candidate in KINDS if candidate.name == kinds)
        content = made.make(size, random.Random(number)).encode()
        octets += len(content)
        name = f"{number:03d}.eml"
        (folder / name).write_bytes(content)
        entry = {"kind": made.name, "source": made.source, "client": CLIENTS[made.source]}
        index.append({**entry, "sender": made.sender, "recipient": made.recipient, "file": name})
    (folder / "index.json").write_text(json.dumps(index))
    return octets // len(index)


def contents_from(folder: Path, source: str) -> list[bytes]:
    """Return the written messages of one system, each with `NUMBER` in it."""
    index = json.loads((folder / "index.json").read_text())
    return [(folder / entry["file"]).read_bytes() for entry in index if entry["source"] == source]
