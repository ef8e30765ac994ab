"""The Received field and the count of those that are there."""

from __future__ import annotations

import time
from email import message_from_bytes
from email.policy import SMTP
from email.utils import parsedate_to_datetime

import pytest

from services.ingress.received import MAX_HEADER_BYTES, loops, received
from shared.mail.envelope import Client, Envelope, Recipient

HOST = "gateway.example.com"


def envelope(
    *recipients: str, helo: str = "client", address: str = "192.0.2.1", tls: str | None = None, utf8: bool = False
) -> Envelope:
    client = Client(address, helo, tls)
    return Envelope("0123", "a@x.example", tuple(map(Recipient, recipients)), "notes", client, 1.7e9, smtputf8=utf8)


@pytest.mark.parametrize(
    ("given", "extended", "protocol"),
    [
        (envelope("b@x.example"), False, "with SMTP id"),
        (envelope("b@x.example"), True, "with ESMTP id"),
        (envelope("b@x.example", tls="TLSv1.3 AES"), True, "with ESMTPS (TLSv1.3 cipher AES) id"),
        (envelope("b@x.example", utf8=True), True, "with UTF8SMTP id"),
        (envelope("b@x.example", tls="TLSv1.3 AES", utf8=True), True, "with UTF8SMTPS (TLSv1.3 cipher AES) id"),
    ],
)
def test_the_protocol_is_named_as_registered(given: Envelope, extended: bool, protocol: str) -> None:
    assert f" (Causeway) {protocol} 0123".encode() in received(given, HOST, extended=extended)


def test_the_recipient_is_named_only_where_there_is_one() -> None:
    assert b"for <b@x.example>" in received(envelope("b@x.example"), HOST, extended=True)
    assert b"x.example" not in received(envelope("b@x.example", "c@x.example"), HOST, extended=True)


@pytest.mark.parametrize("helo", ["a)(b", "a;b", "<script>", "[IPv6:::1]", "x" * 255])
def test_it_is_one_field_whatever_the_client_calls_itself(helo: str) -> None:
    field = received(envelope("b@x.example", helo=helo, address="2001:db8::1"), HOST, extended=True)
    parsed = message_from_bytes(field + b"\r\n", policy=SMTP)
    assert parsed.keys() == ["Received"]
    assert b"([IPv6:2001:db8::1])" in field
    assert parsedate_to_datetime(parsed["Received"].rpartition(";")[2].strip()).timestamp() == 1.7e9
    assert max(map(len, field.split(b"\r\n"))) <= 998


def test_the_gateways_own_field_is_counted() -> None:
    field = received(envelope("b@x.example"), HOST, extended=True)
    assert loops(field * 3 + b"Received: from a by other.example.com; date\r\n\r\n" + field, HOST) == (4, 3)


@pytest.mark.parametrize(
    ("content", "counted"),
    [
        (b"", (0, 0)),
        (b"\r\nReceived: from x by gateway.example.com; date\r\n", (1, 1)),
        (b"RECEIVED: x\r\n\tby\r\n\tGATEWAY.example.com;d\r\n\r\n", (1, 1)),
        (b"Received: from gateway.example.com by x.example; d\r\n\r\n", (1, 0)),
        (b"X: y\r\n Received: x\r\n\r\n", (0, 0)),
        (b"X: y\r\n\r\nReceived: x\r\n", (0, 0)),
    ],
)
def test_fields_are_counted_in_the_header_alone(content: bytes, counted: tuple[int, int]) -> None:
    assert loops(content, HOST) == counted


def test_a_header_without_an_end_is_counted_in_linear_time() -> None:
    began = time.process_time()
    for content in (b"Received:" * 3_000_000, b"Received: \r\n " * 2_000_000, b"Received: by\t" + b" " * 20_000_000):
        assert loops(content, HOST)[0] <= MAX_HEADER_BYTES
    assert time.process_time() - began < 5


def test_a_blank_before_the_colon_hides_no_hop() -> None:
    """RFC 5322 section 4.5.8 still reads it, and so does every other relay."""
    assert loops(b"Received : by gw.example.com;\r\nReceived\t: by a\r\n\r\n", "gw.example.com") == (2, 1)
