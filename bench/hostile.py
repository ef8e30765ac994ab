"""What hostile bytes cost: every reader of them, on floods of what troubles parsers, at a size, twice and four times.

    python -m bench.hostile [READER…] [--octets 20000] [--limit 8]

Prints the worst flood of each reader: CPU milliseconds at the three sizes, and the growth from the first to the last,
which is 4 for time that is linear and 16 for quadratic time. A growth above --limit (8) that costs more than a few
milliseconds is measured once more, at twice the size, before it is believed; then the exit code is 1.
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from services.egress.classify import remote_queue_id
from services.ingress import commands
from services.ingress.content import Data
from services.ingress.parameters import split
from services.ingress.received import loops
from services.transform.bounces.status import status_of
from services.transform.bounces.text import domino_failures, notes_failures
from services.transform.doclinks.ndl import read_links
from services.transform.dry_run import BARE_SYSTEMS, try_out
from services.transform.editing.content_ids import mentions
from services.transform.editing.text_body import Replacement, read_text
from services.transform.html import text as html_text
from services.transform.html.declared import declared_charset
from services.transform.html.outlook import reductions
from services.transform.html.tokens import tokens
from services.transform.tnef.message import read_message
from services.transform.tnef.rtf_compression import decompress
from services.transform.tnef.rtf_convert import convert as convert_rtf
from services.transform.tnef.rtf_html import unwrap
from shared.calendar.content_line import content_lines, split_line
from shared.calendar.ical import read_calendars
from shared.configuration.settings import Settings
from shared.errors import CausewayError
from shared.mail.address_list import read_addresses
from shared.mail.downgrade import to_seven_bit
from shared.mail.encoded_words import decode_words, encode_words
from shared.mail.header import fold, parameters
from shared.mail.mime import Limits, parse
from shared.mail.transfer import decode, encode_text
from shared.mail.unlabelled import recognise
from shared.routing.calendar_addresses import internal_calendar_addresses
from shared.routing.router import Router

Reader = Callable[[str], object]

PIECES = (
    *("a", " ", "\t", "\r\n", "\n", "\r", "\r\n ", "\n\t", "\0", "é", "\udcff", ".", ",", ";", ":", "-", "=", "%", "@"),
    *("<", ">", "(", ")", "[", "]", "{", "}", '"', "'", "\\", "/", "*", "!", "?", "&", "#", "_", "^", "|", "~"),
    *(
        "()",
        "((a)",
        "(\\",
        '"a',
        '""',
        '"\\',
        '" "',
        "<>",
        "<a",
        "<a>",
        "<a@b",
        "<a@b>,",
        "a@b,",
        "a@b;",
        "a:b;",
        "a: ",
    ),
    *(
        "=?",
        "=?a",
        "=?utf-8?q?",
        "=?utf-8?q?a?=",
        "=?utf-8?q?a?= ",
        "=?x?b?YQ==?=,",
        "?=",
        "=?utf-8?b?\r\n",
        "=3D",
        "=\r\n",
    ),
    *("\x1b", "\x1b$B", "\x1b(B", "\x1b$B2q\x1b(B", "\x1b$B~~\x1b(B", "\x0e", "\x0e1\x0f", "<meta charset="),
    *("\udc82\udca0", "\udc82", "\udc82\udca0a", "\udc8f\udca2\udcb7", "\udca2A", "\udc810\udc810", "\udca8\udcbc"),
    *(";a", "; a=b", ';a="', ";a='", ";a*0=b", ";a*1*=%41", ";name=(", "; filename=", ";a*=''", ";a*99999=b", ";;"),
    *(
        "<!--",
        "-->",
        "--!>",
        "<!",
        "<![if !vml]>",
        "<?xml",
        "</",
        "<a ",
        '<a b="',
        "<a b='",
        '="',
        "='",
        "= ",
        "<a b=",
        "/ ",
    ),
    *(
        "<style>",
        "</style",
        "<style>{",
        "{}",
        "{a",
        "}",
        "&quot;",
        "&quot;;",
        "mso-a:b;",
        '<p style="',
        "<o:p>",
        "<xml>",
        "</xml>",
    ),
    *(
        "<!--[if gte vml 1]>",
        "<v:imagedata src=a>",
        "<meta charset",
        "<meta ",
        "<img src=cid:",
        "url(",
        " alt=",
        ' alt="',
    ),
    *("<NDL>", "</NDL>", "<NDL></NDL>", "<REPLICA ", "<REM>", "(See attached file: ", "(Document link: ", "&nbsp;"),
    *(
        "\\'41",
        "\\u1234?",
        "\\bin1 ",
        "{\\*\\a",
        "{\\pict ",
        "{\\field{\\fldinst HYPERLINK ",
        "\\cell",
        "\\row",
        "\\par",
        "\\cf1",
    ),
    *(
        "BEGIN:VEVENT\r\n",
        "END:VEVENT\r\n",
        "ATTENDEE:a\r\n",
        "EXDATE:20300101\r\n",
        "X;A=B",
        ';A="b"',
        ";A=b,",
        ";MEMBER=a,",
    ),
    *(
        "BEGIN:VTIMEZONE\r\nTZID:A\r\n",
        "RRULE:FREQ=DAILY\r\n",
        ";TZID=(UTC",
        "\\,",
        "\\n",
        "20300101,",
        "mailto:",
        "cid:<",
    ),
    *(
        "--\r\n",
        "--b\r\n",
        "--b--\r\n",
        "--b\r\n\r\n",
        "b",
        "a:b\r\n",
        "a:\r\n b\r\n",
        ":\r\n",
        "From a\r\n",
        "-----BEGIN PGP ",
    ),
    *(
        "was not delivered to:\r\na@b\r\n",
        "because:\r\na\r\n",
        "a@b\r\n",
        "------- Failure Reasons  -------\r\n",
        "4.0.",
        "mail ",
    ),
    *(
        "message size ",
        "domain ",
        "queued as ",
        "queued ",
        "id=",
        "1 ",
        "ok: ",
        "a@b@",
        "a%b%",
        "CN=a/",
        "IMCEANOTES-",
        "IMCEASMTP-",
    ),
    *(
        "+40",
        "+",
        "_40",
        "Received: by a;\r\n",
        "\r\n.",
        "\r\n..",
        ".\r\n",
        "\x1b$B",
        "begin 644 a\r\n",
        "M",
        "x\xa0",
        "ﬁ",
        "İ",
    ),
)
"""Each is repeated: delimiters, what opens and never closes, what nests, what nearly is something."""


@dataclass(frozen=True, slots=True)
class Measured:
    """CPU seconds of a flood at three sizes."""

    piece: str
    seconds: tuple[float, float, float]

    @property
    def growth(self) -> float:
        """How many times as long the last takes as the first; 4 is linear."""
        return self.seconds[2] / max(self.seconds[0], 1e-4)


SYSTEMS = {
    "notes": BARE_SYSTEMS["notes"].model_copy(
        update={"domains": ["notes.example.com"], "notes_domains": ["ACME"], "public_domain": "example.com"}
    ),
    "exchange": BARE_SYSTEMS["exchange"].model_copy(
        update={"domains": ["exchange.example.com"], "public_domain": "example.com"}
    ),
}
DIRECTORY = Router(list(SYSTEMS.values()))
SETTINGS = Settings()
TO_EXCHANGE, TO_NOTES = ("notes", "exchange"), ("exchange", "notes")
UNBOUNDED = Limits(parts=10**9, header_bytes=10**9)


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _of_octets(reader: Callable[[bytes], object]) -> Reader:
    return lambda text: reader(_octets(text))


def _data(octets: bytes) -> None:
    data = Data()
    for start in range(0, len(octets), 1000):
        data.feed(octets[start : start + 1000])
    if data.feed(b"\r\n.\r\n") is not None:
        data.content()


def _convert(header: str, end: str = "", direction: tuple[str, str] = ("notes", "exchange")) -> Reader:
    """Return the whole conversion of a message whose last header line, or body, is flooded."""
    source, destination = (SYSTEMS[name] for name in direction)
    return lambda text: try_out(_octets(header + text + end), source, destination, DIRECTORY, SETTINGS)


def _every(flood: str) -> None:
    for line in content_lines(flood):
        split_line(line)


def _messages() -> Iterator[tuple[str, Reader]]:
    """Yield whole messages, each with a place that is flooded, in both directions."""
    plain = "From: a@notes.example.com\r\nTo: b@example.com\r\nMIME-Version: 1.0\r\n"
    mixed = f'{plain}Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n'
    places = {
        "header": (plain, "\r\n\r\nx\r\n"),
        "To": (f"{plain}Cc: ", "\r\n\r\nx\r\n"),
        "Subject": (f"{plain}Subject: ", "\r\n\r\nx\r\n"),
        "References": (f"{plain}References: ", "\r\n\r\nx\r\n"),
        "Content-Type": (f"{plain}Content-Type: text/plain", "\r\n\r\nx\r\n"),
        "Content-Disposition": (f"{mixed}Content-Disposition: inline; filename=", "\r\n\r\nx\r\n--b--\r\n"),
        "body": (f"{plain}\r\n", "\r\n"),
        "HTML": (f"{plain}Content-Type: text/html; charset=utf-8\r\n\r\n<o:p>microsoft", "\r\n"),
        "quoted": (
            f"{plain}Content-Type: text/html\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n<o:p>microsoft",
            "",
        ),
        "parts": (mixed, "\r\n--b--\r\n"),
        "calendar": (
            f"{plain}Content-Type: text/calendar; method=REQUEST\r\n\r\nBEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n",
            "\r\n",
        ),
        "bounce": (
            "From: postmaster@notes.example.com\r\n\r\n------- Failure Reasons  -------\r\nx\r\n",
            "\r\n------- Returned Message -------\r\n",
        ),
        "attached message": (f"{plain}Content-Type: message/rfc822\r\n\r\n", "\r\n"),
        "report": (
            f'{plain}Content-Type: multipart/report; boundary="b"\r\n\r\n--b\r\n\r\nx@notes.example.com',
            "\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\nFinal-Recipient: rfc822;x\r\n--b--\r\n",
        ),
    }
    for place, (before, after) in places.items():
        for direction in (TO_EXCHANGE, TO_NOTES):
            yield f"{' to '.join(direction)}: {place}", _convert(before, after, direction)


CHARSETS = ("utf-8", "iso-8859-1", "iso-2022-jp", "shift_jis", "euc-jp", "big5", "gb18030", "ks_c_5601-1987")


def _edited(label: str, octets: bytes) -> None:
    """Read text and put something between its characters, at a thousand places."""
    content = b"Content-Type: text/html; charset=" + label.encode("ascii") + b"\r\n\r\n" + octets
    if body := read_text(content, parse(content, UNBOUNDED)):
        places = range(0, len(body.text), max(1, len(body.text) // 1000))
        body.edits([Replacement(place, place, "x") for place in places])


READERS: dict[str, Reader] = {
    "mime.parse": _of_octets(lambda octets: parse(octets, UNBOUNDED)),
    "mime.parse, multipart": _of_octets(
        lambda octets: parse(b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" + octets, UNBOUNDED)
    ),
    "mime.parse, one field": _of_octets(lambda octets: parse(b"Content-Type: " + octets, UNBOUNDED)),
    "parameters": parameters,
    "parameters, file name": lambda text: parameters("a; filename=" + text),
    "address_list.read_addresses": _of_octets(read_addresses),
    "decode_words": decode_words,
    "encode_words": encode_words,
    "fold": lambda text: fold("X", text),
    **{f"charset, {label}": _of_octets(partial(_edited, label)) for label in CHARSETS},
    "unlabelled.recognise": _of_octets(lambda octets: (recognise(octets), recognise(octets + b"\xe9", "iso-8859-2"))),
    "html.declared_charset": _of_octets(declared_charset),
    "transfer.decode, base64": _of_octets(lambda octets: decode(octets, "base64")),
    "transfer.decode, quoted-printable": _of_octets(lambda octets: decode(octets, "quoted-printable")),
    "transfer.decode, uuencode": _of_octets(lambda octets: decode(b"begin 644 a\n" + octets, "uuencode")),
    "transfer.encode_text": encode_text,
    "to_seven_bit": _of_octets(lambda octets: to_seven_bit(b"\r\n\xff" + octets)),
    "html_tokens.tokens": lambda text: [
        list(token.attributes(text)) for token in tokens(text) if token.kind == "start"
    ],
    "html_tokens.tokens, in a tag": lambda text: [
        list(token.attributes("<p " + text + ">")) for token in tokens("<p " + text + ">") if token.kind == "start"
    ],
    "outlook.reductions": lambda text: reductions("<o:p>microsoft" + text),
    "outlook.reductions, style": lambda text: reductions("<o:p>microsoft<style>" + text + "</style>"),
    "outlook.reductions, attribute": lambda text: reductions("<o:p>microsoft<p style='" + text + "'>"),
    "outlook.reductions, comment": lambda text: reductions("<o:p>microsoft<!--[if gte vml 1]>" + text + "-->"),
    "content_ids.mentions": lambda text: list(mentions(text)),
    "tnef.html_text": lambda text: (html_text.to_text(text), html_text.claim_utf8(text), html_text.references(text)),
    "tnef.rtf_convert": _of_octets(lambda octets: convert_rtf(b"{\\rtf1 " + octets)),
    "tnef.rtf_html": _of_octets(lambda octets: unwrap(b"{\\rtf1\\fromhtml1 " + octets)),
    "tnef.decompress": _of_octets(
        lambda octets: decompress(len(octets).to_bytes(4, "little") + b"\xff\xff\xff\x7fLZFu" + bytes(4) + octets)
    ),
    "tnef.read_message": _of_octets(lambda octets: read_message(b"\x78\x9f\x3e\x22\0\0" + octets)),
    "ical.content_lines": _every,
    "ical.content_lines, one line": lambda text: _every("X;A=" + text + ":v"),
    "ical.read_calendars": lambda text: read_calendars("BEGIN:VCALENDAR\r\n" + text),
    "ical.read_calendars, in an event": lambda text: read_calendars("BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n" + text),
    "ndl.read_links": read_links,
    "bounces": lambda text: (notes_failures(text), domino_failures(text), status_of(text)),
    "ingress.commands": _of_octets(lambda octets: (commands.command(octets), commands.mail(octets.decode("latin-1")))),
    "ingress.commands, MAIL": lambda text: commands.mail("FROM:<" + text),
    "ingress.parameters": split,
    "ingress.content": _of_octets(_data),
    "ingress.received": _of_octets(lambda octets: loops(octets + b"\r\n\r\n", "gateway.example.com")),
    "routing, addresses in a text": lambda text: DIRECTORY.public_text(text + "@notes.example.com"),
    "routing, many addresses in a text": lambda text: DIRECTORY.public_text(
        "@notes.example.com".join(text[at : at + 20] for at in range(0, len(text), 20))
    ),
    "routing, addresses in a calendar": lambda text: list(
        internal_calendar_addresses("ATTENDEE:" + text + "@notes.example.com", DIRECTORY)
    ),
    "routing, an address": lambda text: (
        DIRECTORY.public(text + "@notes.example.com"),
        DIRECTORY.route(text + "@ACME", "notes"),
        DIRECTORY.public_name(text),
    ),
    "egress.remote_queue_id": remote_queue_id,
    **dict(_messages()),
}


def _of_parts(parts: Iterable[str], head: str = "") -> str:
    return (
        f'{head}Content-Type: multipart/related; boundary="b"\r\n\r\n--b\r\n'
        + "\r\n--b\r\n".join(parts)
        + "\r\n--b--\r\n"
    )


def _calendar(lines: Iterable[str]) -> str:
    body = "\r\n".join(("BEGIN:VCALENDAR", "METHOD:REQUEST", *lines, "END:VCALENDAR"))
    return f"Content-Type: text/calendar; method=REQUEST\r\n\r\n{body}\r\n"


def _event(number: int, *lines: str) -> str:
    start = f"DTSTART:2030{number // 28 % 12 + 1:02}{number % 28 + 1:02}T100000Z"
    return "\r\n".join(("BEGIN:VEVENT", f"UID:u{number}", start, "DURATION:PT1H", *lines, "END:VEVENT"))


def _day(number: int) -> str:
    return f"{number // 28 % 12 + 1:02}{number % 28 + 1:02}"


def _image(number: int, head: str = "") -> str:
    return f"Content-Type: image/gif; name={number}.gif\r\nContent-ID: <{number}@>\r\n{head}\r\nx"


def _html(number: int) -> str:
    return "Content-Type: text/html\r\n\r\n" + "".join(f"<img src=cid:{one}@>" for one in range(number))


_STREAM = b64encode(
    b"\x78\x9f\x3e\x22\0\0" + b"".join((b"\x01\x0c\x80\x01\0\x05\0\0\0", b"text\0", (0x1C0).to_bytes(2, "little")))
).decode()
"""A stream of TNEF that says `text`."""

STRUCTURES: dict[str, Callable[[int], str]] = {
    "parts": lambda n: _of_parts("\r\nx" for _ in range(n)),
    "raw names of parts": lambda n: _of_parts(f"Content-Type: a/b; name=é{number}\r\n\r\nx" for number in range(n)),
    "images, each in the HTML": lambda n: _of_parts([_html(n), *map(_image, range(n))]),
    "images, each with a stand-in": lambda n: _of_parts(
        [
            _html(n),
            "\r\n" + "".join(f"(See attached file: {number}.gif)" for number in range(n)),
            *map(_image, range(n)),
        ]
    ),
    "inline documents": lambda n: _of_parts(
        [
            _html(n),
            *(
                f"Content-Type: a/b\r\nContent-ID: <{number}@>\r\nContent-Disposition: inline\r\n\r\nx"
                for number in range(n)
            ),
        ]
    ),
    "document links of one name": lambda n: _of_parts(
        [
            "\r\n" + "(Document link: a)" * n,
            *(
                "Content-Type: a/b; name=a.ndl\r\n\r\n<NDL><REPLICA 85256D99:00643C2E><HINT>S</HINT></NDL>"
                for _ in range(n)
            ),
        ]
    ),
    "events that refer to parts": lambda n: _of_parts(
        [
            _calendar(
                _event(number, f'DESCRIPTION;ALTREP="cid:{number}@":x', f"ATTACH:cid:{number}@") for number in range(n)
            ),
            *map(_image, range(n)),
        ]
    ),
    "events that refer to one text": lambda n: _of_parts(
        [
            _calendar(_event(number, 'DESCRIPTION;ALTREP="cid:t@":x') for number in range(n)),
            "Content-Type: text/html\r\nContent-ID: <t@>\r\n\r\n" + "<p>x</p>" * n,
        ]
    ),
    "attendees": lambda n: _calendar(
        [_event(1, "ORGANIZER:mailto:a@b", *(f"ATTENDEE:mailto:a{number}@b" for number in range(n)))]
    ),
    "days of a series": lambda n: _calendar(
        [
            _event(
                1,
                *(
                    f"RDATE:{2030 + number // 336}{number // 28 % 12 + 1:02}{number % 28 + 1:02}T100000Z"
                    for number in range(n)
                ),
            )
        ]
    ),
    "recipients": lambda n: "To: " + ",\r\n ".join(f"a{number}@notes.example.com" for number in range(n)) + "\r\n\r\nx",
    "irregular series, each in a part": lambda n: _of_parts(
        _calendar(
            [
                _event(
                    part,
                    *(f"RDATE:2031{day // 28 % 12 + 1:02}{day % 28 + 1:02}T10{day % 60:02}00Z" for day in range(300)),
                )
            ]
        )
        for part in range(n // 10)
    ),
    "rules of one event": lambda n: _calendar([_event(1, *["RRULE:FREQ=DAILY;COUNT=900"] * n)]),
    "rules without a date": lambda n: _calendar([_event(1, *["RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"] * n)]),
    "series": lambda n: _calendar([_event(number, "RRULE:FREQ=DAILY;COUNT=900") for number in range(n)]),
    "changes of all that follow": lambda n: _calendar(
        [
            _event(1, "RRULE:FREQ=DAILY;COUNT=900"),
            *(_event(1, f"RECURRENCE-ID;RANGE=THISANDFUTURE:2030{_day(number)}T100000Z") for number in range(n)),
        ]
    ),
    "streams of Outlook": lambda n: _of_parts(
        f"Content-Type: application/ms-tnef\r\nContent-Transfer-Encoding: base64\r\n\r\n{_STREAM}" for _ in range(n)
    ),
    "attached messages, one in the other": lambda n: (
        "Content-Type: message/rfc822\r\n\r\n" * min(n, 99) + "\r\n" + "x\r\n" * n
    ),
}
"""Builders of messages with a given number of related parts, entries or recipients, by name."""


def structure(made: Callable[[int], str], count: int) -> Measured:
    """Measure the conversion, both ways, of a structure of three sizes."""
    both = [_convert("From: a@notes.example.com\r\nMIME-Version: 1.0\r\n", "", one) for one in (TO_EXCHANGE, TO_NOTES)]
    for convert in both:
        convert(made(2))
    gc.collect()
    texts = [made(count * times) for times in (1, 2, 4)]
    first, second, third = (sum(seconds(convert, text) for convert in both) for text in texts)
    return Measured(f"{count} to {4 * count}", (first, second, third))


def seconds(reader: Reader, flood: str) -> float:
    """Return the CPU time of reading a flood, however it ends."""
    began = time.process_time()
    with suppress(CausewayError, ValueError):
        reader(flood)
    return time.process_time() - began


def measured(reader: Reader, piece: str, octets: int) -> Measured:
    """Measure a flood of one piece at three sizes."""
    count = max(octets // len(_octets(piece)), 1)
    first, second, third = (seconds(reader, piece * (count * times)) for times in (1, 2, 4))
    return Measured(piece, (first, second, third))


def worst(reader: Reader, octets: int, limit: float, patience: float) -> Measured:
    """Return the flood that a reader is slowest at, or the one whose time grows faster than its size."""
    seconds(reader, "a" * 100)  # what is imported and compiled when first used
    gc.collect()
    found: list[Measured] = []
    for piece in PIECES:
        one = measured(reader, piece, octets)
        if one.growth > limit and one.seconds[2] > patience:
            again = measured(reader, piece, octets * 2)
            if again.growth > limit:
                return again
        found.append(one)
    return max(found, key=lambda finding: finding.seconds[2])


def _is_wanted(name: str, beginnings: list[str]) -> bool:
    return not beginnings or name.startswith(tuple(beginnings))


def main() -> int:
    """Measure the readers named, else all of them; return 1 where one of them is slower than linear."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "readers", nargs="*", metavar="READER", help=f"the start of its name: {', '.join((*READERS, *STRUCTURES))}"
    )
    parser.add_argument("--octets", type=int, default=20_000, help="the smallest size (default: 20000)")
    parser.add_argument("--limit", type=float, default=8.0, help="growth that is too much (default: 8; linear is 4)")
    options = parser.parse_args()
    chosen = {name: reader for name, reader in READERS.items() if _is_wanted(name, options.readers)}
    print(f"{'reader':40}  {'worst flood':32}  {'ms':>8} {'x2':>8} {'x4':>8}  growth")
    guilty = 0
    gc.disable()  # it would strike some size at random, for what all the others left
    measurements: dict[str, Callable[[], Measured]] = {
        **{
            name: partial(worst, reader, options.octets, options.limit, patience=0.01)
            for name, reader in chosen.items()
        },
        **{
            name: partial(structure, made, 200)
            for name, made in STRUCTURES.items()
            if _is_wanted(name, options.readers)
        },
    }
    for name, measurement in measurements.items():
        one = measurement()
        is_guilty = one.growth > options.limit and one.seconds[2] > 0.01
        guilty += is_guilty
        times = " ".join(f"{1000 * each:8.1f}" for each in one.seconds)
        print(f"{name:40}  {one.piece!r:32}  {times}  {one.growth:6.1f}{'  TOO SLOW' if is_guilty else ''}", flush=True)
    return 1 if guilty else 0


if __name__ == "__main__":
    sys.exit(main())
