"""The settlement of one leased message."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from prometheus_client import REGISTRY

from services.transform.pipeline import Context, ExtraMessage, OnFailure, Step, StepMessage, StepResult
from services.transform.settlement import settlement_of
from shared.configuration.settings import Settings
from shared.configuration.transform import TransformSettings
from shared.mail.edits import Edit, apply
from shared.mail.envelope import Envelope, Recipient
from shared.routing.router import Router
from shared.spool import keys
from shared.spool.lease import Lease, LeasedMessage
from shared.spool.memory import Memory, Remember
from shared.spool.settlement import Crashed, Parked, Transformed
from tests.support.systems import EXCHANGE, NOTES

CONTENT = (
    b"From: john@notes.example.com\r\nBcc: secret@example.com\r\nSubject: x\r\nMIME-Version: 1.0\r\n"
    b'Content-Type: multipart/alternative; boundary="b b"\r\n\r\n'
    b"--b b\r\nContent-Type: text/plain\r\n\r\nHello\r\n"
    b"--b b\r\nContent-Type: application/x-lotus-encap2\r\n\r\nopaque\r\n--b b--\r\n"
)
NOW = 1_700_000_060.0
SETTINGS = Settings(
    hostname="gateway.example.com",
    systems=[NOTES, EXCHANGE],
    transform=TransformSettings(message_timeout=timedelta(milliseconds=200)),
)


@pytest.fixture
def leased(envelope: Envelope) -> LeasedMessage:
    return LeasedMessage(Lease(keys.TRANSFORM, envelope.id, "token", 0), envelope, len(CONTENT))


def failing(on_failure: OnFailure) -> Step:
    def edits(message: StepMessage, context: Context) -> tuple[Edit, ...]:
        raise LookupError("no such\nthing")

    step = Step("failing", "fails", lambda message, context: True, edits, "pass")
    return replace(step, on_failure=on_failure)


def endless_edits(message: StepMessage, context: Context) -> Iterator[Edit]:
    while True:
        pass
    yield


def conversions(step: str, outcome: str) -> float:
    return REGISTRY.get_sample_value("causeway_conversions_total", {"step": step, "outcome": outcome}) or 0.0


def test_a_message_becomes_deliveries_with_their_own_edits(leased: LeasedMessage) -> None:
    """What is stripped for one system is kept for another."""
    partner = NOTES.model_copy(update={"name": "partner", "domains": ["partner.example.net"], "public_domain": None})
    recipients = (Recipient("jane@exchange.example.com"), Recipient("x@partner.example.net"))
    leased = replace(leased, envelope=replace(leased.envelope, recipients=recipients))
    settled = settlement_of(leased, CONTENT, Router([NOTES, EXCHANGE, partner]), SETTINGS, now=NOW)
    assert isinstance(settled, Transformed)
    to_exchange, to_partner = (apply(CONTENT, new.edits) for new in settled.deliveries)
    assert b"x-lotus-encap2" not in to_exchange
    assert b"x-lotus-encap2" in to_partner
    assert b"Bcc:" not in to_exchange + to_partner
    assert settled.reports == ()


def test_steps_are_counted_by_outcome(leased: LeasedMessage, router: Router) -> None:
    before = conversions("encapsulation", "changed")
    settlement_of(leased, CONTENT, router, SETTINGS, now=NOW)
    assert conversions("encapsulation", "changed") == before + 1


def test_content_that_is_gone_is_a_dead_letter(leased: LeasedMessage, router: Router) -> None:
    settled = settlement_of(leased, None, router, SETTINGS, now=NOW)
    assert isinstance(settled, Parked)
    assert settled.reason == "missing_content"


def test_a_message_beyond_the_limits_is_a_dead_letter(leased: LeasedMessage, router: Router) -> None:
    settled = settlement_of(leased, b"X: " + b"a" * 1_000_000 + b"\r\n\r\n", router, SETTINGS, now=NOW)
    assert isinstance(settled, Parked)
    assert settled.reason == "malformed"
    assert "262144" in settled.detail


def test_a_message_of_a_system_that_is_no_more_is_a_dead_letter(leased: LeasedMessage) -> None:
    settled = settlement_of(leased, CONTENT, Router([EXCHANGE]), SETTINGS, now=NOW)
    assert isinstance(settled, Parked)
    assert settled.reason == "no_system"


def test_a_message_that_hangs_a_step_is_a_crash(leased: LeasedMessage, router: Router) -> None:
    endless = Step(
        "endless", "hangs", lambda message, context: True, lambda *given: tuple(endless_edits(*given)), "pass"
    )
    settled = settlement_of(leased, CONTENT, router, SETTINGS, now=NOW, steps=[endless])
    assert settled == Crashed(leased.lease, "timeout: not converted within 0.2 s")


def test_a_bug_outside_the_steps_is_a_crash(leased: LeasedMessage, router: Router) -> None:
    broken = replace(leased, envelope=replace(leased.envelope, recipients=(None,)))  # type: ignore[arg-type]
    settled = settlement_of(broken, CONTENT, router, SETTINGS, now=NOW)
    assert isinstance(settled, Crashed)
    assert settled.cause.startswith("AttributeError: ")


def test_a_step_that_may_be_passed_over_does_not_hold_the_message(leased: LeasedMessage, router: Router) -> None:
    before = conversions("failing", "failed")
    settled = settlement_of(leased, CONTENT, router, SETTINGS, now=NOW, steps=[failing("pass")])
    assert isinstance(settled, Transformed)
    assert len(settled.deliveries) == 1
    assert conversions("failing", "failed") == before + 1


def test_a_step_that_must_not_be_passed_over_parks_the_message(leased: LeasedMessage, router: Router) -> None:
    settled = settlement_of(leased, CONTENT, router, SETTINGS, now=NOW, steps=[failing("dead_letter")])
    assert settled == Parked(leased.lease, "conversion", "failing for exchange: LookupError: no such thing")


@pytest.mark.parametrize(("crashes", "expected"), [(0, Crashed), (1, Crashed), (2, Parked)])
def test_a_step_that_defers_is_tried_a_bounded_number_of_times(
    leased: LeasedMessage, router: Router, crashes: int, expected: type
) -> None:
    leased = replace(leased, lease=replace(leased.lease, crashes=crashes))
    assert type(settlement_of(leased, CONTENT, router, SETTINGS, now=NOW, steps=[failing("defer")])) is expected


UNROUTABLE = Router([NOTES.model_copy(update={"default_route": None}), EXCHANGE])


def addressed(leased: LeasedMessage, *recipients: Recipient, sender: str | None) -> LeasedMessage:
    return replace(leased, envelope=replace(leased.envelope, recipients=recipients, sender=sender))


def test_the_sender_hears_of_a_recipient_without_a_route(leased: LeasedMessage) -> None:
    reached, lost = Recipient("jane@exchange.example.com"), Recipient("x@elsewhere.example.net")
    leased = addressed(leased, reached, lost, sender="john@notes.example.com")
    settled = settlement_of(leased, CONTENT, UNROUTABLE, SETTINGS, now=NOW)
    assert isinstance(settled, Transformed)
    assert len(settled.deliveries) == 1
    [report] = settled.reports
    assert report.envelope.sender is None
    assert [recipient.address for recipient in report.envelope.recipients] == ["john@example.com"]
    assert b"Final-Recipient: rfc822; x@elsewhere.example.net\r\nAction: failed\r\nStatus: 5.1.2" in report.content
    assert b"secret@example.com" not in report.content


def test_a_sender_who_wants_no_reports_gets_none(leased: LeasedMessage) -> None:
    leased = addressed(leased, Recipient("x@elsewhere.example.net", ("NEVER",)), sender="john@notes.example.com")
    settled = settlement_of(leased, CONTENT, UNROUTABLE, SETTINGS, now=NOW)
    assert settled == Transformed(leased.lease, (), unrouted=("x@elsewhere.example.net",))


def test_the_null_sender_is_never_answered(leased: LeasedMessage) -> None:
    leased = addressed(leased, Recipient("x@elsewhere.example.net"), sender=None)
    settled = settlement_of(leased, CONTENT, UNROUTABLE, SETTINGS, now=NOW)
    assert settled == Parked(leased.lease, "no_route", "x@elsewhere.example.net")


def test_an_internal_address_that_stays_in_a_header_is_counted(leased: LeasedMessage, router: Router) -> None:
    before = REGISTRY.get_sample_value("causeway_internal_address_leaks_total") or 0.0
    content = b"From: <@notes.example.com:john@example.com>\r\n\r\nHello\r\n"  # a route names hosts, not people
    settlement_of(leased, content, router, SETTINGS, now=NOW)
    assert REGISTRY.get_sample_value("causeway_internal_address_leaks_total") == before + 1


def sending_step(*extra_messages: ExtraMessage) -> Step:
    def change(message: StepMessage, context: Context) -> StepResult:
        remembered = context.recall("series:x")
        memory = Remember("series:x", remembered.version, {"seen": 1}, NOW + 60)
        return StepResult(extra_messages=extra_messages, memories=(memory,))

    return Step("further", "sends more", lambda message, context: True, change, "pass")


def test_a_further_message_goes_to_who_gets_the_converted_one(leased: LeasedMessage, router: Router) -> None:
    step = sending_step(ExtraMessage(b"Subject: more\r\n\r\n"))
    settlement = settlement_of(leased, CONTENT, router, SETTINGS, now=NOW, steps=(step,))
    assert isinstance(settlement, Transformed)
    (more,) = settlement.reports
    assert (more.content, more.envelope.sender) == (b"Subject: more\r\n\r\n", leased.envelope.sender)
    assert more.envelope.recipients == leased.envelope.recipients
    assert more.envelope.id != leased.envelope.id


def test_a_notice_goes_back_with_the_null_sender(leased: LeasedMessage, router: Router) -> None:
    step = sending_step(ExtraMessage(b"Subject: sorry\r\n\r\n", ("john@notes.example.com",), is_notice=True))
    settlement = settlement_of(leased, CONTENT, router, SETTINGS, now=NOW, steps=(step,))
    assert isinstance(settlement, Transformed)
    (notice,) = settlement.reports
    assert (notice.envelope.sender, notice.envelope.source) == (None, "exchange")
    assert [recipient.address for recipient in notice.envelope.recipients] == ["john@notes.example.com"]


def test_what_a_step_remembers_is_settled_over_what_it_recalled(leased: LeasedMessage, router: Router) -> None:
    def recall(_key: str) -> Memory:
        return Memory(7, {"seen": 0})

    settlement = settlement_of(leased, CONTENT, router, SETTINGS, now=NOW, steps=(sending_step(),), recall=recall)
    assert isinstance(settlement, Transformed)
    assert settlement.memories == (Remember("series:x", 7, {"seen": 1}, NOW + 60),)
