"""Messages made to use up the transform stage: what each may use is bounded by one budget, whatever its parts do.

Counts and sizes are asserted, never times. `bench/hostile.py` measures the time.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from services.transform.budget import budget_for
from services.transform.pipeline import Context, Conversion, Step, StepMessage, StepResult, convert
from services.transform.steps import ORDER, tnef
from shared.configuration.transform import TransformSettings
from shared.errors import BudgetExceeded
from shared.mail.budget import Budget
from shared.mail.edits import Edit, apply
from tests.support import tnef as streams
from tests.support.hostile import explosion, many_recipients, tnef_message
from tests.unit.services.transform.conftest import MakeContext

CORPUS = Path(__file__).parents[3] / "corpus"
SETTINGS = TransformSettings()


def converted(content: bytes, context: Context, budget: Budget | None = None) -> Conversion:
    return convert(content, replace(context, budget=budget or budget_for(len(content), SETTINGS)), ORDER)


@pytest.mark.parametrize(("parts", "to"), [(3, many_recipients(230_000)), (13, "b@example.com"), (1, "b@example.com")])
def test_an_explosion_sends_less_than_twenty_times_the_message(make_context: MakeContext, parts: int, to: str) -> None:
    content = explosion(parts, to)
    made = converted(content, make_context("domino", "exchange"))
    assert sum(len(extra.content) for extra in made.extra_messages) < max(20 * len(content), 1_572_864)
    assert len(made.extra_messages) <= SETTINGS.max_extra_messages
    assert not any(report.failure for report in made.reports)


def test_an_explosion_above_the_budget_is_unsupported_and_its_organizer_gets_one_notice(
    make_context: MakeContext,
) -> None:
    made = converted(explosion(13), make_context("domino", "exchange"))
    assert [extra.is_notice for extra in made.extra_messages] == [True]


def test_extra_messages_are_counted_over_all_parts(make_context: MakeContext) -> None:
    """Each series is within the limit; together they are not."""
    budget = Budget({"extra_messages": 500})
    made = converted(explosion(3), make_context("domino", "exchange"), budget)
    assert budget.spent("extra_messages") == len(made.extra_messages) == 389 + 1
    assert [extra.is_notice for extra in made.extra_messages].count(True) == 1


def test_extra_messages_are_counted_over_all_destinations(make_context: MakeContext) -> None:
    budget = Budget({"extra_messages": 500})
    for _ in range(3):
        converted(explosion(1), make_context("domino", "exchange"), budget)
    assert budget.spent("extra_messages") <= 500


def test_headers_and_envelopes_count(make_context: MakeContext) -> None:
    budget = Budget({"extra_bytes": 10_000})
    context = replace(make_context("domino", "exchange"), budget=budget)
    context.extra_message(b"x" * 5000)
    assert 5000 < budget.spent("extra_bytes") < 10_000
    with pytest.raises(BudgetExceeded, match="extra bytes"):
        context.extra_message(b"x" * 5000)


def step(name: str, *edits: Edit) -> Step:
    return Step(name, name, lambda _message, _context: True, lambda _message, _context: edits, "pass")


def test_a_step_whose_text_is_too_much_is_passed_over_and_the_next_one_runs(make_context: MakeContext) -> None:
    budget = Budget({"text_bytes": 100})
    context = replace(make_context("domino", "exchange"), budget=budget)
    steps = (step("large", Edit(0, 0, b"x" * 101)), step("small", Edit(0, 0, b"y" * 100)))
    made = convert(b"Subject: x\r\n\r\nx\r\n", context, steps)
    assert [report.outcome for report in made.reports] == ["failed", "changed"]
    assert isinstance(made.reports[0].failure, BudgetExceeded)
    assert [edit.replacement for edit in made.edits] == [b"y" * 100]


def test_edits_are_counted(make_context: MakeContext) -> None:
    context = replace(make_context("domino", "exchange"), budget=Budget({"edits": 2}))
    made = convert(b"Subject: x\r\n\r\nx\r\n", context, [step("many", *(Edit(at, at, b"") for at in range(3)))])
    assert [report.outcome for report in made.reports] == ["failed"]


@pytest.mark.parametrize("where", ["applies", "change"])
def test_a_step_that_spins_is_passed_over(make_context: MakeContext, where: str) -> None:
    def spin(_message: StepMessage, _context: Context) -> bool:
        while True:
            pass

    def change(message: StepMessage, context: Context) -> StepResult:
        spin(message, context)
        return StepResult()

    applies = spin if where == "applies" else lambda _message, _context: True
    context = replace(make_context("domino", "exchange"), budget=Budget(cpu_seconds=0.2))
    spinning = Step("spinning", "spins", applies, change, "pass")
    made = convert(b"Subject: x\r\n\r\nx\r\n", context, [spinning, step("next", Edit(0, 0, b"y"))])
    assert [report.outcome for report in made.reports] == ["failed", "changed"]
    assert "processor time" in str(made.reports[0].failure)


def test_a_step_that_must_not_be_passed_over_is_not_cut_short(make_context: MakeContext) -> None:
    """It has the time limit of the whole message; half a rewriting of addresses would be a leak."""
    worked: list[int] = []

    def work(_message: StepMessage, _context: Context) -> tuple[Edit, ...]:
        worked.append(sum(range(3_000_000)))
        return ()

    context = replace(make_context("domino", "exchange"), budget=Budget(cpu_seconds=0.01))
    made = convert(b"x: y\r\n\r\n", context, [Step("a", "a", lambda _m, _c: True, work, "defer")])
    assert made.stopped is None
    assert worked


def test_nested_messages_of_rich_text_are_charged_for_what_each_repeats(make_context: MakeContext) -> None:
    inner = streams.message(attachments=[streams.attachment(b"a.bin", b"x" * 1000)])
    for _ in range(5):
        inner = streams.message(attachments=[streams.embedded(inner, "m")])
    content = tnef_message(inner)
    budget = Budget()
    assert converted(content, make_context("exchange", "domino"), budget).edits
    assert budget.spent("nested_bytes") > 5 * 1000
    made = converted(content, make_context("exchange", "domino"), Budget({"nested_bytes": 4000}))
    assert [type(report.failure) for report in made.reports if report.step is tnef.STEP] == [BudgetExceeded]


def test_a_stream_that_is_a_file_in_another_is_read_in_the_same_pass(make_context: MakeContext) -> None:
    deep = streams.message(items=[streams.text(0x1000, "deep inside")])
    outer = streams.message(
        items=[streams.text(0x1000, "outside")], attachments=[streams.attachment(b"winmail.dat", deep)]
    )
    context, content = make_context("exchange", "domino"), tnef_message(outer)
    once = apply(content, convert(content, context, [tnef.STEP]).edits)
    assert b"deep inside" in once
    assert convert(once, context, [tnef.STEP]).edits == ()


@pytest.mark.parametrize("path", sorted(CORPUS.glob("*/*.eml")), ids=lambda path: f"{path.parent.name}/{path.stem}")
@pytest.mark.parametrize(("source", "destination"), [("domino", "exchange"), ("exchange", "domino")])
def test_to_convert_what_was_converted_changes_nothing(
    make_context: MakeContext, path: Path, source: str, destination: str
) -> None:
    context, content = make_context(source, destination), path.read_bytes()
    once = apply(content, convert(content, context, ORDER).edits)
    assert apply(once, convert(once, context, ORDER).edits) == once
