from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from bench import messages
from bench.steps import context
from services.transform.pipeline import convert
from services.transform.steps import ORDER
from shared.mail.edits import apply

KINDS = pytest.mark.parametrize("kind", messages.KINDS, ids=lambda kind: kind.name)


def made(kind: messages.Kind, size: int) -> bytes:
    return messages.numbered(kind.make(size, random.Random(1)).encode(), 1)


@KINDS
@pytest.mark.parametrize("size", [1_000, 5_000, 100_000])
def test_each_kind_is_converted_by_its_step(kind: messages.Kind, size: int) -> None:
    original = made(kind, size)
    conversion = convert(original, context(kind.source), ORDER)
    assert not [report for report in conversion.reports if report.failure]
    assert kind.step in {report.step.name for report in conversion.reports if report.edits}
    assert kind.is_converted(apply(original, conversion.edits))


@KINDS
def test_no_kind_counts_as_converted_as_it_is(kind: messages.Kind) -> None:
    assert not kind.is_converted(made(kind, 5_000))


@KINDS
@pytest.mark.parametrize("size", [5_000, 100_000, 1_000_000])
def test_messages_have_about_the_size_that_was_asked_for(kind: messages.Kind, size: int) -> None:
    assert abs(len(made(kind, size)) - size) < 0.1 * size


def test_the_mix_is_seventy_fifteen_ten_and_five_percent() -> None:
    names = [kind.name for kind in messages.mix()]
    shares = {name: names.count(name) / len(names) for name in names}
    assert shares == {"plain": 0.7, "encapsulated": 0.15, "calendar": 0.1, "tnef": 0.05}


def test_what_is_written_is_always_the_same(tmp_path: Path) -> None:
    for name in ("one", "two"):
        messages.write(tmp_path / name, 5_000)
    one, two = ({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("one", "two"))
    assert one == two


def test_winmail_comes_from_the_address_of_exchange(tmp_path: Path) -> None:
    messages.write(tmp_path / "messages", 5_000)
    index = json.loads((tmp_path / "messages" / "index.json").read_text())
    assert {entry["client"] for entry in index if entry["kind"] == "tnef"} == {"127.0.2.1"}
    assert {entry["client"] for entry in index if entry["kind"] != "tnef"} == {"127.0.1.1"}
