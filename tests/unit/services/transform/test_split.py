"""Which systems a message goes to."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.transform.split import split_by_system
from shared.configuration.systems import System
from shared.mail.envelope import Envelope, Notify, Recipient
from shared.routing.address_map import read
from shared.routing.router import Router
from tests.support.systems import EXCHANGE, NOTES

INTERNET = System(name="internet", kind="internet")
NOW = 1_700_000_060.0


def to(envelope: Envelope, *addresses: str) -> Envelope:
    return replace(envelope, recipients=tuple(Recipient(address) for address in addresses))


def test_each_system_gets_one_delivery(envelope: Envelope) -> None:
    partner = System(name="partner", kind="domino", domains=["partner.example.net"])
    router = Router([NOTES, EXCHANGE, partner])
    both = to(envelope, "a@exchange.example.com", "x@partner.example.net", "b@exchange.example.com")
    first, second = split_by_system(both, 100, router, NOW).deliveries
    assert (first.id, first.system) == (f"{envelope.id}-exchange", "exchange")
    assert (second.id, second.system) == (f"{envelope.id}-partner", "partner")
    assert [recipient.original for recipient in first.recipients] == [
        "a@exchange.example.com",
        "b@exchange.example.com",
    ]
    assert [recipient.address for recipient in second.recipients] == ["x@partner.example.net"]


def test_a_delivery_bears_the_public_sender_and_all_that_was_asked(envelope: Envelope, router: Router) -> None:
    asked = replace(envelope, body="8BITMIME", smtputf8=True, ret="FULL", envid="QQ314159")
    [delivery] = split_by_system(asked, 100, router, NOW).deliveries
    assert delivery.sender == "john@example.com"
    assert (delivery.body, delivery.smtputf8, delivery.ret, delivery.envid) == ("8BITMIME", True, "FULL", "QQ314159")
    assert (delivery.size, delivery.received_at, delivery.created_at) == (100, envelope.received_at, NOW)
    assert (delivery.message_id, delivery.source, delivery.attempts) == (envelope.id, "notes", 0)


def test_the_null_sender_stays_null(envelope: Envelope, router: Router) -> None:
    [delivery] = split_by_system(replace(envelope, sender=None), 100, router, NOW).deliveries
    assert delivery.sender is None


@pytest.mark.parametrize(
    ("first", "second", "joined"),
    [
        ((), (), ()),
        (("NEVER",), ("NEVER",), ("NEVER",)),
        (("NEVER",), (), ("FAILURE", "DELAY")),
        (("NEVER",), ("SUCCESS",), ("SUCCESS",)),
        (("SUCCESS",), ("FAILURE",), ("SUCCESS", "FAILURE")),
        ((), ("SUCCESS",), ("FAILURE", "DELAY", "SUCCESS")),
    ],
)
def test_recipients_of_one_address_become_one_with_all_their_wishes(
    envelope: Envelope,
    router: Router,
    first: tuple[Notify, ...],
    second: tuple[Notify, ...],
    joined: tuple[Notify, ...],
) -> None:
    twice = (Recipient("jane@exchange.example.com", first), Recipient("jane@EXCHANGE.example.com", second))
    [delivery] = split_by_system(replace(envelope, recipients=twice), 100, router, NOW).deliveries
    [recipient] = delivery.recipients
    assert recipient.original == "jane@exchange.example.com"
    assert recipient.notify == joined


def test_a_recipient_without_a_route_is_refused(envelope: Envelope) -> None:
    router = Router([NOTES.model_copy(update={"default_route": None}), EXCHANGE])
    split = split_by_system(to(envelope, "jane@exchange.example.com", "x@elsewhere.example.net"), 100, router, NOW)
    assert [delivery.system for delivery in split.deliveries] == ["exchange"]
    assert split.unrouted is not None
    [refused] = split.unrouted.recipients
    assert (refused.public, refused.state) == ("x@elsewhere.example.net", "refused")
    assert refused.reply is not None
    assert refused.reply.enhanced == "5.1.2"


def test_a_report_comes_from_a_system_whose_mail_reaches_the_sender(envelope: Envelope) -> None:
    router = Router([INTERNET, EXCHANGE, NOTES.model_copy(update={"default_route": None})])
    shared_domain = replace(to(envelope, "x@elsewhere.example.net"), sender="john@example.com")
    split = split_by_system(shared_domain, 100, router, NOW)
    assert split.unrouted is not None
    assert split.unrouted.system == "exchange"


def test_without_recipients_there_is_nothing_to_deliver(envelope: Envelope, router: Router) -> None:
    split = split_by_system(to(envelope), 100, router, NOW)
    assert (split.deliveries, split.unrouted) == ((), None)


def test_an_address_beyond_ascii_from_the_map_asks_for_smtputf8(envelope: Envelope) -> None:
    row = "public,internal\njuergen@example.com,jürgen@exchange.example.com\n"
    router = Router([NOTES, EXCHANGE], read(row, "addresses.csv"))
    both = to(envelope, "juergen@example.com")
    [delivery] = split_by_system(both, 100, router, NOW).deliveries
    assert (delivery.recipients[0].address, delivery.smtputf8) == ("jürgen@exchange.example.com", True)
