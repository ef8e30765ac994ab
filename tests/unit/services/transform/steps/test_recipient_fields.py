"""Recipient fields on their way to Notes: without display names where that is set, and never too long."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.transform.pipeline import Context, Step, convert
from services.transform.steps import friendly_names, recipient_headers
from shared.configuration.transform import TransformSettings
from shared.mail.address_list import read_addresses
from shared.mail.edits import apply
from shared.mail.mime import parse

CORPUS = Path(__file__).parents[4] / "corpus"
LIMIT = 15 * 1024

MakeContext = Callable[[str, str], Context]


def converted(content: bytes, context: Context, step: Step) -> bytes:
    conversion = convert(content, context, [step])
    assert not [report.failure for report in conversion.reports if report.failure]
    return apply(content, conversion.edits)


def removing(context: Context) -> Context:
    return dataclasses.replace(context, settings=TransformSettings(friendly_names="remove"))


def addresses(content: bytes, name: str) -> list[str]:
    field = parse(content).find(name)
    assert field
    return [mailbox.address for mailbox in read_addresses(content, field.value_start, field.end)]


@pytest.mark.parametrize(
    ("step", "name"),
    [
        (friendly_names.STEP, "names_and_groups"),
        (recipient_headers.STEP, "two_long_fields"),
        (recipient_headers.STEP, "short_stays"),
    ],
    ids=lambda one: one if isinstance(one, str) else one.name,
)
def test_corpus_pair(step: Step, name: str, make_context: MakeContext) -> None:
    context = removing(make_context("exchange", "domino"))
    result = converted((CORPUS / step.name / f"{name}.eml").read_bytes(), context, step)
    assert result == (CORPUS / step.name / f"{name}.expected.eml").read_bytes()
    assert converted(result, context, step) == result


def test_names_stay_unless_the_settings_ask(make_context: MakeContext) -> None:
    content = (CORPUS / "friendly_names" / "names_and_groups.eml").read_bytes()
    assert convert(content, make_context("exchange", "domino"), [friendly_names.STEP]).reports == ()
    assert convert(content, removing(make_context("domino", "exchange")), [friendly_names.STEP]).reports == ()


@pytest.mark.parametrize("direction", [("domino", "exchange"), ("exchange", "exchange")])
def test_fields_are_shortened_for_notes_only(direction: tuple[str, str], make_context: MakeContext) -> None:
    content = (CORPUS / "recipient_headers" / "two_long_fields.eml").read_bytes()
    assert convert(content, make_context(*direction), [recipient_headers.STEP]).reports == ()


def test_every_address_kept_or_counted(make_context: MakeContext) -> None:
    content = (CORPUS / "recipient_headers" / "two_long_fields.eml").read_bytes()
    result = converted(content, make_context("exchange", "domino"), recipient_headers.STEP)
    for name in ("to", "cc"):
        before, after = addresses(content, name), addresses(result, name)
        assert after == before[: len(after)]
        field = parse(result).find(name)
        assert field
        value = field.raw(result)
        assert LIMIT - 80 < len(value) <= LIMIT
        assert value.endswith(f",\r\n and {len(before) - len(after)} more recipients:;".encode())


def test_a_strict_reader_takes_the_group(make_context: MakeContext) -> None:
    content = (CORPUS / "recipient_headers" / "two_long_fields.eml").read_bytes()
    result = converted(content, make_context("exchange", "domino"), recipient_headers.STEP)
    to = message_from_bytes(result, policy=policy.default)["To"]
    assert not to.defects
    assert to.groups[-1].display_name == "and 118 more recipients"
    assert to.groups[-1].addresses == ()


PIECES = st.lists(
    st.sampled_from(
        [
            b"a@example.com",
            b"<b@example.com>",
            b'"B, C" <c@example.com>',
            b",",
            b";",
            b":",
            b"(x)",
            b'"',
            b"<",
            b"\r\n ",
            b"G:",
        ]
    )
    | st.binary(max_size=3).filter(lambda octets: b"\n" not in octets),
    max_size=60,
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(PIECES, st.integers(512, 700))
def test_any_field_is_brought_below_the_limit(make_context: MakeContext, pieces: list[bytes], limit: int) -> None:
    content = b"To: " + b"".join(pieces) + b"x" * 500 + b", d@example.com\r\nSubject: x\r\n\r\n"
    chosen = TransformSettings(max_recipient_header_bytes=limit, friendly_names="remove")
    context = dataclasses.replace(make_context("exchange", "domino"), settings=chosen)
    result = converted(content, context, recipient_headers.STEP)
    field = parse(result).find("to")
    assert field
    assert len(field.raw(result)) <= limit
    assert result.endswith(b"\r\nSubject: x\r\n\r\n")
    assert addresses(converted(content, context, friendly_names.STEP), "to")


def test_one_endless_address_leaves_the_others(make_context: MakeContext) -> None:
    """A line of an encoded name without end, as a public sample of 130 KB has it."""
    content = b"To: a@example.com,\n\t" + b"=?utf-8?Q?x=3Ey?=\n\t" * 1000 + b"<b@example.com>\nSubject: x\n\n"
    result = converted(content, make_context("exchange", "domino"), recipient_headers.STEP)
    assert result == b"To: a@example.com,\n and 1 more recipient:;\nSubject: x\n\n"
