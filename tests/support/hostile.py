"""Messages made to use up what converts them: few bytes in, a lot of work, text or messages out."""

from __future__ import annotations

from base64 import encodebytes
from collections.abc import Iterable
from datetime import datetime, timedelta

_START = datetime(2030, 1, 1, 10)
_MINUTES = (0, 7, 13, 29, 41)


def event(uid: str, *lines: str) -> tuple[str, ...]:
    """Return the lines of a meeting."""
    return (
        *("BEGIN:VEVENT", f"UID:{uid}", "DTSTART:20300101T100000Z", "DURATION:PT1H", "SUMMARY:x"),
        *("DTSTAMP:20260101T000000Z", "ORGANIZER:mailto:alice@notes.example.com"),
        *lines,
        "END:VEVENT",
    )


def calendar(lines: Iterable[str]) -> str:
    """Return an invitation."""
    return "\r\n".join(("BEGIN:VCALENDAR", "VERSION:2.0", "METHOD:REQUEST", *lines, "END:VCALENDAR", ""))


def calendars(texts: Iterable[str], to: str = "b@example.com") -> bytes:
    """Return a message of so many calendar parts."""
    parts = "".join(f"--b\r\nContent-Type: text/calendar; method=REQUEST\r\n\r\n{text}" for text in texts)
    head = f"From: alice@notes.example.com\r\nTo: {to}\r\nSubject: x\r\nMIME-Version: 1.0\r\n"
    return f'{head}Content-Type: multipart/mixed; boundary="b"\r\n\r\n{parts}--b--\r\n'.encode()


def irregular_dates(count: int) -> list[str]:
    """Return RDATEs that no rule of Outlook makes: alternate days at changing minutes."""
    moments = (_START + timedelta(days=2 * at, minutes=_MINUTES[at % 5]) for at in range(count))
    return [f"RDATE:{moment:%Y%m%dT%H%M%SZ}" for moment in moments]


def explosion(parts: int, to: str = "b@example.com") -> bytes:
    """Return a message of meetings that each become hundreds of single ones."""
    return calendars((calendar(event(f"u{part}", *irregular_dates(390))) for part in range(parts)), to)


def many_recipients(octets: int) -> str:
    """Return the value of a To field of about so many bytes."""
    return ",\r\n ".join(f"p{at:05}@notes.example.com" for at in range(octets // 27))


def tnef_message(*streams: bytes) -> bytes:
    """Return a message of Exchange with so many winmail.dat."""
    parts = b"".join(
        b"--b\r\nContent-Type: application/ms-tnef; name=winmail.dat\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        + encodebytes(stream).replace(b"\n", b"\r\n")
        for stream in streams
    )
    head = b"From: a@exchange.example.com\r\nTo: b@example.com\r\nMIME-Version: 1.0\r\n"
    return head + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx\r\n" + parts + b"--b--\r\n"
