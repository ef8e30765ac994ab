"""Header fields that must not leave, and receipts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.transform.pipeline import Context, convert
from services.transform.steps import notes_headers
from shared.mail.edits import apply

CORPUS = Path(__file__).parents[4] / "corpus" / "notes_headers"
PAIRS = sorted(path for path in CORPUS.glob("*.eml") if not path.name.endswith(".expected.eml"))

MakeContext = Callable[[str, str], Context]


def converted(content: bytes, context: Context) -> bytes:
    conversion = convert(content, context, [notes_headers.STEP])
    assert not [report.failure for report in conversion.reports if report.failure]
    return apply(content, conversion.edits)


@pytest.mark.parametrize("pair", PAIRS, ids=lambda path: path.stem)
def test_corpus_pair(pair: Path, make_context: MakeContext) -> None:
    """The file's name has the direction: `domino-to-exchange.what.eml`."""
    source, destination = pair.name.partition(".")[0].split("-to-")
    expected = pair.with_name(f"{pair.stem}.expected.eml").read_bytes()
    result = converted(pair.read_bytes(), make_context(source, destination))
    assert result == expected
    assert converted(result, make_context(source, destination)) == result


@st.composite
def item(draw: st.DrawFn) -> bytes:
    """An X-Notes-Item of a blind copy, folded, cased, quoted and padded as relays may leave it."""
    blank = st.sampled_from([b"", b" ", b"\t", b"\r\n ", b"\r\n\t "])
    name = draw(st.sampled_from([b"AltBlindCopyTo", b"BlindCopyTo", b"INetBlindCopyTo", b"$AltBlindCopyTo"]))
    name = draw(st.sampled_from([name, name.lower(), name.upper()]))
    quote = draw(st.sampled_from([b"", b'"']))
    label = draw(st.sampled_from([b"name", b"NAME", b"Name"]))
    parameters = [label + draw(blank) + b"=" + draw(blank) + quote + name + quote, b"type=4"]
    if draw(st.booleans()):
        parameters.reverse()
    field = draw(st.sampled_from([b"X-Notes-Item", b"x-notes-item", b"X-NOTES-ITEM"]))
    separator = draw(blank) + b";" + draw(blank)
    return field + b": secret@example.com" + separator + separator.join(parameters) + draw(blank.filter(bool)) + b"\r\n"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(item(), st.sampled_from(["domino", "exchange", "internet"]))
def test_a_blind_copy_item_leaves_in_no_form(make_context: MakeContext, field: bytes, destination: str) -> None:
    content = b"From: a@example.com\r\n" + field + b"To: b@example.com\r\n\r\nsecret@example.com is fine here\r\n"
    expected = b"From: a@example.com\r\nTo: b@example.com\r\n\r\nsecret@example.com is fine here\r\n"
    assert converted(content, make_context("domino", destination)) == expected
