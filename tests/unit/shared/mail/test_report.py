from __future__ import annotations

import re
from dataclasses import replace
from email import message_from_bytes, policy
from email.message import EmailMessage, Message
from typing import Literal, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.mail.delivery import Delivery, DeliveryRecipient
from shared.mail.reply import Reply
from shared.mail.report import MAX_RETURNED_OCTETS, Kind, build_report

REFUSED = DeliveryRecipient(
    original="Bob Jones/Acme",
    public="bob@example.com",
    address="bob.jones@mail.internal.example",
    orcpt="rfc822;bob+2Bx@example.com",
    state="refused",
    reply=Reply(550, "<Bob.Jones@mail.internal.example>: unknown user", "5.1.1"),
    host="exchange1.example.com:25",
)
DELIVERY = Delivery(
    id="m1-exchange",
    message_id="m1",
    source="notes",
    system="exchange",
    sender="alice@example.com",
    recipients=(REFUSED,),
    size=100,
    received_at=1_700_000_000.0,
    created_at=1_700_000_000.0,
    envid="QQ+2B7",
    attempts=3,
)
ORIGINAL = b"From: alice@example.com\r\nSubject: Offer\r\n\r\nThe body\r\n"


def report(
    kind: Kind = "failed", delivery: Delivery = DELIVERY, content: bytes = ORIGINAL, until: float | None = None
) -> tuple[EmailMessage, bytes]:
    built = build_report(
        kind,
        delivery,
        delivery.recipients,
        content,
        hostname="gw.example.com",
        id="r1",
        now=1_700_000_600.0,
        retry_until=until,
    )
    return message_from_bytes(built.content, policy=policy.SMTP), built.content


def parts(message: EmailMessage) -> list[EmailMessage]:
    return cast("list[EmailMessage]", message.get_payload())


def fields(message: EmailMessage) -> list[Message]:
    return cast("list[Message]", parts(message)[1].get_payload())


def test_it_is_a_report_of_three_parts_with_the_null_sender() -> None:
    message, raw = report()
    assert message.get_content_type() == "multipart/report"
    assert message.get_param("report-type") == "delivery-status"
    kinds = ["text/plain", "message/delivery-status", "text/rfc822-headers"]
    assert [part.get_content_type() for part in parts(message)] == kinds
    assert message["Auto-Submitted"] == "auto-replied"
    assert message["To"] == "alice@example.com"
    assert message["From"] == "Mail Delivery System <MAILER-DAEMON@gw.example.com>"
    assert not message.defects
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", raw)
    assert raw.isascii()


def test_it_travels_from_the_destination_system_under_the_null_sender() -> None:
    envelope = build_report(
        "failed", DELIVERY, DELIVERY.recipients, ORIGINAL, hostname="gw.example.com", id="r1", now=1.0
    ).envelope
    assert (envelope.id, envelope.sender, envelope.source, envelope.body) == ("r1", None, "exchange", "7BIT")
    assert [recipient.address for recipient in envelope.recipients] == ["alice@example.com"]


def test_the_fields_for_programs_follow_rfc_3464() -> None:
    whole, recipient = fields(report()[0])
    assert whole["Original-Envelope-Id"] == "QQ+7"
    assert whole["Reporting-MTA"] == "dns; gw.example.com"
    assert whole["Arrival-Date"] == "Tue, 14 Nov 2023 22:13:20 +0000"
    assert recipient["Original-Recipient"] == "rfc822; bob+x@example.com"
    assert recipient["Final-Recipient"] == "rfc822; bob@example.com"
    assert recipient["Action"] == "failed"
    assert recipient["Status"] == "5.1.1"
    assert recipient["Remote-MTA"] == "dns; exchange1.example.com"
    assert recipient["Diagnostic-Code"] == "smtp; 550 5.1.1 <bob@example.com>: unknown user"


def test_a_report_contains_no_internal_address() -> None:
    _, raw = report()
    assert b"internal.example" not in raw.lower()
    assert b"Bob Jones/Acme" not in raw


def test_the_original_returns_whole_only_where_ret_full_asks_for_it() -> None:
    message, _ = report(delivery=replace(DELIVERY, ret="FULL"))
    assert parts(message)[2].get_content_type() == "message/rfc822"
    assert ORIGINAL in report(delivery=replace(DELIVERY, ret="FULL"))[1]
    for ret in (None, "HDRS"):
        _, raw = report(delivery=replace(DELIVERY, ret=ret))
        assert b"Subject: Offer" in raw
        assert b"The body" not in raw


def test_a_large_original_returns_as_its_headers_even_under_ret_full() -> None:
    _, raw = report(delivery=replace(DELIVERY, ret="FULL"), content=ORIGINAL + b"x" * MAX_RETURNED_OCTETS)
    assert b"Subject: Offer" in raw
    assert len(raw) < 5000


def test_a_delay_names_its_end_and_a_relay_its_action() -> None:
    waiting = replace(DELIVERY, recipients=(replace(REFUSED, state="pending", reply=Reply(450, "busy", "4.2.0")),))
    recipient = fields(report("delayed", waiting, until=1_700_432_000.0)[0])[1]
    assert (recipient["Action"], recipient["Status"]) == ("delayed", "4.2.0")
    assert recipient["Will-Retry-Until"] == "Sun, 19 Nov 2023 22:13:20 +0000"
    done = replace(DELIVERY, recipients=(replace(REFUSED, state="delivered", reply=Reply(250, "ok", "2.0.0")),))
    recipient = fields(report("relayed", done)[0])[1]
    assert (recipient["Action"], recipient["Status"]) == ("relayed", "2.0.0")


def test_an_expired_recipient_has_status_4_4_7() -> None:
    expired = replace(DELIVERY, recipients=(replace(REFUSED, state="expired", reply=Reply(450, "busy", "4.2.0")),))
    recipient = fields(report("failed", expired)[0])[1]
    assert recipient["Status"] == "4.4.7"


def test_the_null_sender_is_never_answered() -> None:
    with pytest.raises(ValueError, match="null sender"):
        report(delivery=replace(DELIVERY, sender=None))


def test_equal_arguments_give_equal_bytes_and_each_attempt_an_id_of_its_own() -> None:
    assert report()[1] == report()[1]
    assert report()[0]["Message-ID"] != report(delivery=replace(DELIVERY, attempts=4))[0]["Message-ID"]


def test_international_addresses_give_the_forms_of_rfc_6533() -> None:
    delivery = replace(
        DELIVERY, sender="jürgen@example.com", recipients=(replace(REFUSED, public="bjørn@example.com"),)
    )
    built = build_report("failed", delivery, delivery.recipients, ORIGINAL, hostname="gw.example.com", id="r", now=1.0)
    assert built.envelope.smtputf8
    assert built.envelope.body == "8BITMIME"
    assert "Final-Recipient: utf-8; bjørn@example.com".encode() in built.content
    assert b"message/global-delivery-status" in built.content


def test_headers_that_are_not_ascii_return_as_base64() -> None:
    header = "Subject: Grüße\r\n".encode()
    message, raw = report(content=header + b"\r\nbody")
    assert raw.isascii()
    assert parts(message)[2].get_payload(decode=True) == header


@pytest.mark.parametrize("ret", ["FULL", "HDRS", None])
@pytest.mark.parametrize("where", ["header", "body"])
def test_a_long_line_of_the_original_is_not_repeated(ret: Literal["FULL", "HDRS"] | None, where: str) -> None:
    """A strict host refuses a report with it ("line too long"), and the sender would learn of nothing."""
    long = b"X-Long: " + b"a" * 3000 + b"\r\n"
    content = b"Subject: Offer\r\n" + (long + b"\r\n" if where == "header" else b"\r\n" + long)
    message, raw = report(delivery=replace(DELIVERY, ret=ret), content=content)
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    assert (parts(message)[2].get_payload(decode=True) == content[: content.index(b"\r\n\r\n") + 2]) is True


@given(st.text(max_size=2000), st.text(max_size=200))
def test_no_text_of_a_host_or_client_breaks_the_form(text: str, envid: str) -> None:
    """Neither a host's reply nor an ENVID can add a field or a line too long."""
    delivery = replace(DELIVERY, envid=envid, recipients=(replace(REFUSED, reply=Reply(550, text)),))
    message, raw = report(delivery=delivery)
    assert len(parts(message)) == 3
    assert [part["Action"] for part in fields(message)] == [None, "failed"]
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", raw)
    assert max(map(len, raw.split(b"\r\n"))) <= 998


def test_an_answer_that_names_another_recipient_names_it_in_public() -> None:
    other = replace(REFUSED, public="carol@example.com", address="carol@mail.internal.example")
    reply = Reply(550, "refused for <Bob.Jones@mail.internal.example> and carol@MAIL.internal.example.", "5.7.1")
    _, raw = report(delivery=replace(DELIVERY, recipients=(replace(REFUSED, reply=reply), other)))
    assert b"mail.internal.example" not in raw.lower()
    assert raw.count(b"and carol@example.com.") == 2


@pytest.mark.parametrize(("code", "enhanced"), [(354, None), (250, "2.0.0"), (25, None), (-1, None)])
def test_the_status_is_of_the_class_of_the_report_whatever_a_host_says(code: int, enhanced: str | None) -> None:
    waiting = replace(REFUSED, state="pending", reply=Reply(code, "what", enhanced))
    message, _ = report("delayed", replace(DELIVERY, recipients=(waiting,)))
    assert fields(message)[1]["Status"] == "4.0.0"
