"""Bounces of Domino and Notes, as a strict reader of delivery reports finds them."""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import Callable
from email.message import Message
from pathlib import Path

import pytest

from services.transform.bounces.status import UNKNOWN, status_of
from services.transform.bounces.text import Failure, domino_failures, notes_failures
from services.transform.pipeline import Context, convert
from services.transform.steps import domino_bounces
from shared.mail.edits import apply

CORPUS = Path(__file__).parents[4] / "corpus" / "domino_bounces"
REPORTS = sorted(path for path in CORPUS.glob("*.expected.eml") if b"multipart/report" in path.read_bytes())

MakeContext = Callable[[str, str], Context]


def parts_of(message: Message) -> list[Message]:
    parts = message.get_payload()
    assert isinstance(parts, list)
    return [part for part in parts if isinstance(part, Message)]


@pytest.mark.parametrize("path", REPORTS, ids=lambda path: path.name.partition(".")[0])
def test_every_report_is_well_formed(path: Path) -> None:
    """RFC 6522 section 3, RFC 3464 section 2: parts, fields, and nothing beyond ASCII in them."""
    message: Message = email.message_from_bytes(path.read_bytes(), policy=email.policy.compat32)
    assert message.get_content_type() == "multipart/report"
    assert message.get_param("report-type") == "delivery-status"
    assert not [part.defects for part in message.walk() if part.defects]
    parts = parts_of(message)
    assert [part.get_content_type() for part in parts] in (
        ["text/plain", "message/delivery-status", "message/rfc822"],
        ["text/plain", "message/delivery-status"],
    )
    about, *recipients = parts_of(parts[1])
    assert re.fullmatch(r"dns; ?[a-z0-9.-]+", about["Reporting-MTA"])
    assert recipients
    for group in filter(len, recipients):
        assert re.fullmatch(r"rfc822; ?[a-z.]+@example\.com", group["Final-Recipient"])
        assert group["Action"] == "failed"
        assert re.fullmatch(r"[45]\.\d\.\d", group["Status"])
        assert group["Remote-MTA"] is None or group["Remote-MTA"].startswith("dns;")
        assert str(group["Diagnostic-Code"]).isascii()
        assert "\x1b" not in str(group["Diagnostic-Code"])


@pytest.mark.parametrize("path", REPORTS, ids=lambda path: path.name.partition(".")[0])
def test_the_returned_message_keeps_its_octets(path: Path) -> None:
    original = path.with_name(path.name.replace(".expected", "")).read_bytes()
    returned = re.search(rb"(?m)^Received: from gw\.example\.com.*?Hello\r\n(?:Stra\xdfe\r\n)?", original, re.DOTALL)
    assert returned is None or returned[0] in path.read_bytes()


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        ("User Jane Roe (jane@example.com) not listed in Domino Directory", "5.1.1"),
        ("User  not listed in public Name & Address Book", "5.1.1"),
        ("User x non répertorié dans l'annuaire Domino", "5.1.1"),
        ("ユーザー x は Domino ディレクトリには見つかりません。", "5.1.1"),
        ("Several matches found in Domino Directory", "5.1.4"),
        ("Unable to deliver: mail file has exceeded its quota", "5.2.2"),
        ("Message size 20480 KB exceeds the maximum allowed", "5.2.3"),
        ("Your message is too large", "5.2.3"),
        ("Maximum hop count exceeded.  Message probably in a routing loop.", "5.4.6"),
        ("No route found to domain EXAMPLE from server HUB/Acme", "5.4.4"),
        ("Error transferring to mx.example.net; The server is not responding.", "4.4.1"),
        ("Remote system no longer responding", "4.4.1"),
        ("The connection was closed by the other side", "4.4.2"),
        ("Message expired; it could not be delivered within 24 hours", "4.4.7"),
        ("You are not authorized to send to this user", "5.7.1"),
        ("SMTP Protocol Returned a Permanent Error 550 5.7.606 Access denied", "5.7.606"),
        ("SMTP Protocol Returned a Transient Error 451 4.7.1 Try again", "4.7.1"),
        ("Error transferring to 10.5.1.1; something", UNKNOWN),
        ("Release 5.0.12 said no", "5.0.12"),
        ("", UNKNOWN),
        ("Something went wrong", UNKNOWN),
    ],
)
def test_words_mean_a_status(reason: str, status: str) -> None:
    assert status_of(reason) == status


def test_reasons_of_notes_r4_belong_to_the_recipients_after_them() -> None:
    text = "\r\nNo such\r\nperson\r\na@x.org\r\nb@x.org\r\n\r\nFull\r\nc@x.org\r\n\r\nNobody\r\nJohn Doe/Acme\r\n"
    assert notes_failures(text) == [
        Failure("a@x.org", "No such person"),
        Failure("b@x.org", "No such person"),
        Failure("c@x.org", "Full"),
    ]


def test_blocks_of_domino_belong_to_the_recipients_before_them() -> None:
    block = "Your message\n\n  Subject: x\n\nwas not delivered to:\n\n  {}\n\nbecause:\n\n  {}\n"
    text = (
        block.format("a@x.org\n  b@x.org", "Not\n  there")
        + "\n"
        + block.format("c@x.org", "Full")
        + "\nSignature a@b.org"
    )
    assert domino_failures(text) == [
        Failure("a@x.org", "Not there"),
        Failure("b@x.org", "Not there"),
        Failure("c@x.org", "Full"),
    ]
    assert domino_failures("It was not delivered to: a@x.org because: of me") == []


def test_what_a_person_writes_about_bounces_is_no_bounce(make_context: MakeContext) -> None:
    """The same words from somebody who is no postmaster, with an envelope sender."""
    text = b"Your message\r\n\r\nwas not delivered to:\r\n\r\n  a@x.org\r\n\r\nbecause:\r\n\r\n  Not listed\r\n"
    content = b"From: Jane <jane@example.com>\r\nContent-Type: text/plain\r\n\r\n" + text
    context = make_context("domino", "exchange")
    assert convert(content, context, [domino_bounces.STEP]).edits == ()
    bounce = content.replace(b"jane@", b"Postmaster@")
    assert b"multipart/report" in apply(bounce, convert(bounce, context, [domino_bounces.STEP]).edits)


def test_addresses_in_a_new_report_are_public(make_context: MakeContext) -> None:
    text = b"was not delivered to:\r\n jroe@notes.example.com\r\nbecause:\r\n quota\r\n"
    content = b"From: postmaster@notes.example.com\r\nContent-Type: text/plain\r\n\r\n" + text
    result = apply(content, convert(content, make_context("domino", "exchange"), [domino_bounces.STEP]).edits)
    assert b"Final-Recipient: rfc822; jroe@example.com\r\n" in result
    assert b"Reporting-MTA: dns; example.com\r\n" in result


def test_a_bounce_of_countless_recipients_makes_no_report_a_thousand_times_as_long() -> None:
    recipients = [f"r{number}@example.com" for number in range(3000)]
    reason = "no " * 400
    of_notes = notes_failures("\n".join([reason, *recipients]))
    of_domino = domino_failures("\n".join(["was not delivered to:", *recipients, "because:", reason]))
    assert [failure.address for failure in of_notes] == [failure.address for failure in of_domino] == recipients[:1000]
