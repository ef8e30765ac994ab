"""Dry runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.transform.app import dry_run
from shared.configuration.addresses import AddressSettings
from shared.configuration.settings import Settings
from shared.errors import ConfigurationError
from tests.support.systems import EXCHANGE, NOTES

CORPUS = Path(__file__).parents[3] / "corpus"
ENCAPSULATED = CORPUS / "encapsulation" / "alternative.eml"


def test_the_result_is_what_would_leave() -> None:
    original = ENCAPSULATED.read_bytes()
    result = dry_run(Settings(), "notes", "exchange", original)
    assert result.converted == ENCAPSULATED.with_name("alternative.expected.eml").read_bytes()
    assert result.to_json("a.eml") == {
        "file": "a.eml",
        "bytes": len(original),
        "changed": True,
        "steps": [{"name": name, "edits": edits} for name, edits in result.steps],
        "error": None,
    }
    assert ("encapsulation", 1) in result.steps


def test_a_configured_system_goes_before_a_bare_one_of_its_name() -> None:
    keeping = EXCHANGE.model_copy(update={"encapsulation": "keep"})
    result = dry_run(Settings(systems=[NOTES, keeping]), "notes", "exchange", ENCAPSULATED.read_bytes())
    assert result.converted == ENCAPSULATED.read_bytes()


def test_addresses_are_those_of_the_configuration() -> None:
    content = b"From: john@notes.example.com\n\nHello\n"
    result = dry_run(Settings(systems=[NOTES, EXCHANGE]), "notes", "exchange", content)
    assert result.converted == b"From: john@example.com\n\nHello\n"


def test_an_unknown_system_is_named_with_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match="domino, exchange, notes"):
        dry_run(Settings(), "notes", "groupwise", b"")


def test_an_unreadable_map_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"absent\.csv"):
        dry_run(Settings(addresses=AddressSettings(map=tmp_path / "absent.csv")), "notes", "exchange", b"")


def test_a_message_beyond_the_limits_is_an_error_and_unchanged() -> None:
    content = b"X: " + b"a" * 1_000_000 + b"\r\n\r\n"
    result = dry_run(Settings(), "notes", "exchange", content)
    assert result.converted is content
    assert result.error is not None
    assert result.error.startswith("malformed: ")


LINES = st.lists(
    st.sampled_from(
        [b"From: a@example.net", b"To: b@example.net", b"Subject: x", b"", b"--b", b"--b--", b"text", b"\xff:"]
    )
    | st.binary(max_size=20),
    max_size=30,
)


@settings(max_examples=200)
@given(LINES, st.sampled_from([b"\n", b"\r\n", b"\r"]), st.sampled_from([("notes", "exchange"), ("exchange", "notes")]))
def test_no_octets_are_an_error(lines: list[bytes], line_end: bytes, direction: tuple[str, str]) -> None:
    """Whatever the bytes are, they convert without failure, and what no step touches stays."""
    result = dry_run(Settings(systems=[NOTES, EXCHANGE]), *direction, line_end.join(lines))
    assert result.error is None
    assert result.converted == result.original or any(edits for _, edits in result.steps)
