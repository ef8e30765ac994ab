"""Steps one after another: what each sees, and what a failure of one means."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.transform.pipeline import Context, OnFailure, Step, StepMessage, convert
from services.transform.steps import ORDER
from shared.errors import MalformedMessage
from shared.mail.edits import Edit, apply

CONTENT = b"Subject: one\r\nX-Left: a\r\n\r\nbody\r\n"

MakeContext = Callable[[str, str], Context]


@pytest.fixture
def context(make_context: MakeContext) -> Context:
    return make_context("domino", "exchange")


def replacing(old: bytes, new: bytes) -> Step:
    """Return a step that replaces every `old` by `new`."""

    def edits(message: StepMessage, context: Context) -> list[Edit]:
        found, start = [], message.content.find(old)
        while start >= 0:
            found.append(Edit(start, start + len(old), new))
            start = message.content.find(old, start + len(old))
        return found

    return Step(f"{old!r} to {new!r}", "replaces", lambda message, context: old in message.content, edits, "pass")


def failing(error: Exception) -> Step:
    def edits(message: StepMessage, context: Context) -> list[Edit]:
        raise error

    return Step("failing", "fails", lambda message, context: True, edits, "pass")


def overlapping() -> Step:
    edits = [Edit(0, 5, b"x"), Edit(3, 8, b"y")]
    return Step("overlapping", "overlaps", lambda message, context: True, lambda message, context: edits, "pass")


def test_a_step_sees_what_the_steps_before_it_left(context: Context) -> None:
    conversion = convert(CONTENT, context, [replacing(b"one", b"two, too"), replacing(b"two", b"three")])
    assert apply(CONTENT, conversion.edits) == CONTENT.replace(b"one", b"three, too")
    assert [report.edits for report in conversion.reports] == [1, 1]


def test_the_tree_is_that_of_the_text_a_step_is_given(context: Context) -> None:
    seen: list[list[str]] = []

    def applies(message: StepMessage, context: Context) -> bool:
        seen.append([field.name for field in message.root.fields])
        return False

    watching = Step("watching", "watches", applies, lambda message, context: (), "pass")
    convert(CONTENT, context, [watching, replacing(b"X-Left: a\r\n", b""), watching])
    assert seen == [["subject", "x-left"], ["subject"]]


def test_a_step_that_does_not_apply_leaves_no_report(context: Context) -> None:
    conversion = convert(CONTENT, context, [replacing(b"absent", b"x")])
    assert (conversion.edits, conversion.reports, conversion.stopped) == ((), (), None)


@pytest.mark.parametrize("broken", [failing(KeyError("x")), overlapping()], ids=["raises", "overlapping edits"])
def test_a_failed_step_that_may_be_passed_over_leaves_the_work_of_the_others(context: Context, broken: Step) -> None:
    conversion = convert(CONTENT, context, [replacing(b"one", b"two"), broken, replacing(b"two", b"three")])
    assert apply(CONTENT, conversion.edits) == CONTENT.replace(b"one", b"three")
    assert [report.outcome for report in conversion.reports] == ["changed", "failed", "changed"]
    assert conversion.stopped is None


@pytest.mark.parametrize("on_failure", ["defer", "dead_letter"])
def test_a_failed_step_that_may_not_be_passed_over_stops_the_conversion(
    context: Context, on_failure: OnFailure
) -> None:
    broken = replace(failing(KeyError("x")), on_failure=on_failure)
    conversion = convert(CONTENT, context, [broken, replacing(b"one", b"two")])
    assert conversion.stopped is conversion.reports[-1]
    assert conversion.stopped.step is broken
    assert isinstance(conversion.stopped.failure, KeyError)


def test_a_message_beyond_the_limits_is_malformed(context: Context) -> None:
    with pytest.raises(MalformedMessage):
        convert(b"X: " + b"a" * 1_000_000 + b"\r\n\r\n", context, ORDER)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.binary(max_size=300), st.lists(st.tuples(st.binary(min_size=1, max_size=2), st.binary(max_size=3)), max_size=4)
)
def test_composed_edits_do_what_the_steps_do_in_turn(
    context: Context, content: bytes, changes: list[tuple[bytes, bytes]]
) -> None:
    expected = content
    for old, new in changes:
        expected = expected.replace(old, new)
    conversion = convert(content, context, [replacing(old, new) for old, new in changes])
    assert apply(content, conversion.edits) == expected


def test_the_steps_have_names_of_their_own() -> None:
    assert len({step.name for step in ORDER}) == len(ORDER)


def test_a_step_that_leaves_no_readable_message_has_failed(context: Context) -> None:
    def endless(message: StepMessage, context: Context) -> tuple[Edit, ...]:
        return (Edit(0, 0, b"X: " + b"x" * 300_000 + b"\r\n"),)

    bursting = Step("bursting", "bursts the header", lambda message, context: True, endless, "pass")
    conversion = convert(b"Subject: a\r\n\r\n", context, (bursting, replacing(b"a", b"b")))
    assert [report.outcome for report in conversion.reports] == ["failed", "changed"]
    assert apply(b"Subject: a\r\n\r\n", conversion.edits) == b"Subject: b\r\n\r\n"
