"""A run ends with a line for each thing that it left out."""

from __future__ import annotations

from pathlib import Path

from tests.support.optional import TARGETS, Tool, needs, not_run

HERE = Tool("a", "apt install a", lambda: True)
MISSING = Tool("b", "apt install b", lambda: False)


def test_the_reason_of_a_skip_says_what_to_install() -> None:
    mark = needs(HERE, MISSING).mark
    assert mark.args == (True,)
    assert mark.kwargs == {"reason": "needs b: apt install b"}
    assert needs(HERE).mark.args == (False,)


def test_skipped_tests_are_counted_by_reason_and_in_order() -> None:
    reasons = ["needs b: apt install b", "needs a: apt install a", "needs b: apt install b"]
    lines = not_run(reasons)
    assert lines[:2] == ["1 test: needs a: apt install a", "2 tests: needs b: apt install b"]
    assert not_run(reversed(reasons)) == lines


def test_every_test_that_no_default_run_collects_has_its_line() -> None:
    makefile = (Path(__file__).parents[2] / "Makefile").read_text()
    assert [line.partition(":")[0] for line in not_run([])] == sorted(TARGETS)
    for command in TARGETS:
        assert f"\n{command.removeprefix('make ')}:" in makefile
