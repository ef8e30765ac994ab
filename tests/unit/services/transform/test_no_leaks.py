"""No internal address leaves in any message that we hold, whichever domains of it are internal."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from services.transform.pipeline import Context, convert
from services.transform.steps import ORDER
from services.transform.steps.addresses import leaks, leaks_after
from shared.configuration.systems import System
from shared.errors import MalformedMessage
from shared.mail.body import decode_body
from shared.mail.edits import apply
from shared.mail.mime import parse
from shared.routing.address_map import AddressMap, Pair
from shared.routing.router import Router
from tests.support.mail import message

ROOT = Path(__file__).parents[4]
HELD = sorted(
    path
    for folder in (ROOT / "tests" / "corpus", ROOT.parent / "shared" / "corpus")
    for path in folder.rglob("*")
    if path.suffix in (".eml", ".ics", ".txt", ".mime", ".msg") and path.is_file()
)
_ADDRESS = re.compile(rb"[\w.+-]{1,64}@((?:[\w-]{1,60}\.){1,5}[a-z]{2,20})", re.IGNORECASE)
READ = frozenset({"text/calendar", "message/delivery-status", "message/disposition-notification"})
_CALENDAR_FOLD = re.compile(rb"(?<=[\w@.-])\r?\n[ \t](?=[\w@.-])")
_ADDRESS_LINE = re.compile(
    rb"^(?:From|To|Cc|Reply-To|Sender|Final-Recipient|Original-Recipient|List-Post|ATTENDEE|ORGANIZER)[:;]"
    rb".*(?:\n[ \t].*)*",
    re.IGNORECASE | re.MULTILINE,
)


def as_message(path: Path) -> bytes:
    """Return the file as a message; a calendar alone becomes the part that an invitation holds."""
    content = path.read_bytes()
    if path.suffix != ".ics":
        return content
    return b"From: a@x.example\r\nContent-Type: text/calendar; method=REQUEST; charset=utf-8\r\n\r\n" + content


def everything_internal(content: bytes) -> Router:
    """Return a router to which every domain of the message is internal, and every second address mapped."""
    addresses = list(dict.fromkeys(found[0].decode().lower() for found in _ADDRESS.finditer(content)))[:200]
    domains = sorted({address.rpartition("@")[2] for address in addresses} - {"public.example"})
    notes = System(
        name="notes",
        kind="domino",
        domains=domains[::2],
        notes_domains=["ACME"],
        public_domain="public.example",
        default_route="exchange",
    )
    exchange = System(
        name="exchange",
        kind="exchange",
        domains=domains[1::2],
        public_domain="public.example",
        default_route="notes",
    )
    pairs = (Pair(f"person.{at}@public.example", address) for at, address in enumerate(addresses[::2]))
    return Router([notes, exchange], AddressMap(pairs))


@pytest.mark.parametrize("path", HELD, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_no_message_that_we_hold_leaks_an_address(path: Path) -> None:
    accepted = message(content=as_message(path))
    router = everything_internal(accepted.content)
    systems = list(router.topology.systems.values())
    for source, destination in (systems, systems[::-1]):
        try:
            done = convert(accepted.content, Context(accepted.envelope, source, destination, router), ORDER)
        except MalformedMessage:
            continue
        assert done.stopped is None
        assert leaks_after(accepted.content, done, router) == 0
        left = apply(accepted.content, done.edits)
        root = parse(left)
        assert leaks(left, root, router) == 0
        texts = [left[: root.body_start]]
        texts += [
            decode_body(left, part) for part in root.walk() if part.content_type in READ and not part.is_protected
        ]
        lines = (line[0] for text in texts for line in _ADDRESS_LINE.finditer(_CALENDAR_FOLD.sub(b"", text)))
        seen = [found[0].decode().lower() for line in lines for found in _ADDRESS.finditer(line)]
        assert not [address for address in seen if router.is_internal(address)], "seen by another reader"


def test_the_held_messages_are_there() -> None:
    assert len(HELD) > 40
