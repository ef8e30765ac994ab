"""The events of an attempt: recipients with the same outcome share one, and only those that were pending count."""

from __future__ import annotations

from dataclasses import replace

from shared.history.attempt import (
    DeliveryDeferred,
    DeliveryDelivered,
    DeliveryExpired,
    DeliveryRefused,
    attempted,
)
from shared.mail.delivery import Delivery, DeliveryRecipient
from shared.mail.reply import Reply

HOST, TAKEN, NEVER = "mx.example.com:25", Reply(250, "queued as Q1", "2.0.0"), Reply(550, "no such user", "5.1.1")
AT, ID = 1795874228.734, "01a2227209fd68230c979c-notes"


def delivery(*recipients: DeliveryRecipient, attempts: int = 0) -> Delivery:
    message_id = ID.partition("-")[0]
    return Delivery(ID, message_id, "exchange", "notes", "a@x", recipients, 1000, 1.0, 1.0, attempts=attempts)


def pending(name: str) -> DeliveryRecipient:
    return DeliveryRecipient(f"{name}@internal", f"{name}@public", f"{name}@there")


def test_recipients_with_the_same_outcome_share_an_event() -> None:
    a, b, c = map(pending, "abc")
    taken = [replace(one, state="delivered", host=HOST, reply=TAKEN, remote_id="Q1") for one in (a, b)]
    refused = replace(c, state="refused", host=HOST, reply=NEVER)
    after = delivery(*taken, refused, attempts=2)
    assert attempted(delivery(a, b, c), after, 1795874228.7335305) == (
        DeliveryDelivered(ID, AT, "notes", ("a@public", "b@public"), 2, HOST, str(TAKEN), remote_id="Q1"),
        DeliveryRefused(ID, AT, "notes", ("c@public",), 2, HOST, str(NEVER)),
    )


def test_what_an_earlier_attempt_decided_is_not_repeated() -> None:
    done = replace(pending("a"), state="delivered", host=HOST, reply=TAKEN)
    waits = pending("b")
    before, after = delivery(done, waits, attempts=1), delivery(done, waits, attempts=2)
    assert attempted(before, after, AT, 300.04) == (
        DeliveryDeferred(ID, AT, "notes", ("b@public",), 2, retry_seconds=300.0),
    )


def test_a_recipient_that_is_given_up_may_have_the_message_all_the_same() -> None:
    gone = replace(pending("a"), state="expired", reply=Reply(451, "timed out", "4.4.2"), ambiguous=True)
    [event] = attempted(delivery(pending("a")), delivery(gone, attempts=9), AT)
    assert event == DeliveryExpired(ID, AT, "notes", ("a@public",), 9, None, "451 4.4.2 timed out", ambiguous=True)
