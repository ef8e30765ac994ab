"""Importance and sensitivity: one word for all readers."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.transform.pipeline import Context, convert
from services.transform.steps import importance
from shared.mail.edits import apply

MakeContext = Callable[[str, str], Context]


def converted(fields: bytes, context: Context) -> bytes:
    content = b"From: a@example.com\r\n" + fields + b"\r\nImportance: text\r\n"
    result = apply(content, convert(content, context, [importance.STEP]).edits)
    return result.removeprefix(b"From: a@example.com\r\n").removesuffix(b"\r\nImportance: text\r\n")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (b"Importance: 1\r\n", b"Importance: High\r\n"),
        (b"Importance: 3\r\n", b"Importance: Low\r\n"),
        (b"Importance: urgent\r\n", b"Importance: High\r\n"),
        (b"X-Priority: 1 (High)\r\nX-MSMail-Priority:\r\n", b"X-Priority: 1 (High)\r\nX-MSMail-Priority: High\r\n"),
        (b"X-Priority: 2\r\nImportance: high\r\n", b"X-Priority: 2\r\nImportance: high\r\n"),
        (b"X-Priority: Highest\r\n", b"X-Priority: 1 (High)\r\n"),
        (b"X-Priority: 1\r\nImportance:\r\n\tLow\r\n", b"X-Priority: 5 (Low)\r\nImportance:\r\n\tLow\r\n"),
        (b"Priority: urgent\r\n", b"Priority: urgent\r\n"),
        (b"Priority: urgent\r\nX-Priority: 3\r\n", b"Importance: Normal\r\nPriority: urgent\r\nX-Priority: 3\r\n"),
        (b"Priority: urgent\r\nX-Priority: 1\r\n", b"Priority: urgent\r\nX-Priority: 1\r\n"),
        (b"Importance: whatever\r\nX-Priority: 12\r\n", b"Importance: whatever\r\nX-Priority: 12\r\n"),
    ],
)
def test_the_first_valid_field_determines_the_importance(
    fields: bytes, expected: bytes, make_context: MakeContext
) -> None:
    assert converted(fields, make_context("domino", "exchange")) == expected
    assert converted(fields, make_context("exchange", "domino")) == fields


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"", None),
        (b"  ", None),
        (b" None", None),
        (b" Normal", None),
        (b" Private", b" Private"),
        (b" personal", b" personal"),
        (b" Company-Confidential", b" Company-Confidential"),
        (b" company confidential", b" Company-Confidential"),
        (b"Confidential", b" Company-Confidential"),
        (b" Secret", b" Secret"),
    ],
)
def test_sensitivity_has_a_word_of_rfc_2156_or_none(
    value: bytes, expected: bytes | None, make_context: MakeContext
) -> None:
    left = b"" if expected is None else b"Sensitivity:" + expected + b"\r\n"
    assert converted(b"Sensitivity:" + value + b"\r\n", make_context("domino", "internet")) == left


_VALUES = st.sampled_from(["", "high", "High", "normal", "Low", "1", "2 (High)", "3", "4", "5 (Lowest)", "urgent", "x"])
_LEVEL = {"1": "high", "2": "high", "3": "normal", "4": "low", "5": "low"}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(["Importance", "X-Priority", "X-MSMail-Priority"]), _VALUES))
def test_no_two_readers_see_different_importance(make_context: MakeContext, values: dict[str, str]) -> None:
    """Whatever field a reader believes, as MS-OXCMAIL 2.2.3.2.5 reads it, it sees the same, or nothing anywhere."""
    fields = "".join(f"{name}: {value}\r\n" for name, value in values.items()).encode()
    read = set()
    for line in converted(fields, make_context("domino", "exchange")).decode().splitlines():
        name, _, value = line.partition(":")
        word = value.strip().lower()
        known = _LEVEL.get(word[:1]) if name == "X-Priority" else word if word in _LEVEL.values() else None
        read.add(known)
    assert len(read) <= 1 or all(value in {"", "x"} or not value for value in values.values())
