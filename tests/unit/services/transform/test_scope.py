"""Which messages and parts a step of mail details may change."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from services.transform.editing.content_ids import html_bodies, mentions
from services.transform.pipeline import Context
from services.transform.scope import changes_sides, leaves_notes, open_messages
from shared.mail.mime import parse

MakeContext = Callable[[str, str], Context]


@pytest.mark.parametrize(
    ("source", "destination", "leaves", "changes"),
    [
        ("domino", "exchange", True, True),
        ("domino", "internet", True, True),
        ("domino", "domino", False, False),
        ("exchange", "domino", False, True),
        ("internet", "domino", False, True),
        ("exchange", "internet", False, False),
    ],
)
def test_the_kinds_determine_the_direction(
    source: str, destination: str, leaves: bool, changes: bool, make_context: MakeContext
) -> None:
    context = make_context(source, destination)
    assert leaves_notes(context) is leaves
    assert changes_sides(context) is changes


INNER = b"Content-Type: text/html\r\n\r\n<img src='cid:a@b'>\r\n"


def types_of(content: bytes) -> list[list[str]]:
    return [[part.content_type for part in message.parts] for message in open_messages(parse(content))]


@pytest.mark.parametrize(
    ("outer", "expected"),
    [
        (b"message/rfc822\r\n\r\n", [["message/rfc822"], ["text/html"]]),
        (b"multipart/mixed; boundary=b\r\n\r\n--b\r\n", [["multipart/mixed", "text/html"]]),
        (
            b"multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n",
            [["multipart/mixed", "message/rfc822"], ["text/html"]],
        ),
        (b"multipart/signed; boundary=b\r\n\r\n--b\r\n", [[]]),
        (b"multipart/report; boundary=b\r\n\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n", [["multipart/report"]]),
        (
            b"message/rfc822\r\n\r\nContent-Type: multipart/encrypted; boundary=b\r\n\r\n--b\r\n",
            [["message/rfc822"]],
        ),
    ],
)
def test_attached_messages_are_messages_and_closed_ones_are_not_entered(
    outer: bytes, expected: list[list[str]]
) -> None:
    assert types_of(b"Content-Type: " + outer + INNER) == expected


def test_only_html_that_is_read_mentions_parts() -> None:
    attached = INNER.replace(b"\r\n\r\n", b"\r\nContent-Disposition: attachment\r\n\r\n")
    content = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" + INNER + b"--b\r\n" + attached + b"--b--\r\n"
    (message,) = open_messages(parse(content))
    assert len(html_bodies(content, message)) == 1


@pytest.mark.parametrize(
    ("html", "ids"),
    [
        ('<img src="cid:a@b"><img src=CID:c@>', ["a@b", "c@"]),
        ("url(cid:a%40b)", ["a@b"]),
        ("acid:a@b 'cid:' \"cid: a\"", []),
        ("<img src='cid:a@b\r\n'>", ["a@b"]),
    ],
)
def test_mentions_are_read_as_urls(html: str, ids: list[str]) -> None:
    assert [mention.content_id for mention in mentions(html)] == ids
    assert all(html[: mention.end].endswith(("b", "@")) for mention in mentions(html))
