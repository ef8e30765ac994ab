"""How answers are printed."""

from __future__ import annotations

import json

import pytest

from services.cli.output import age, print_json, print_table, printable, when
from shared.mail.edits import Edit


def test_columns_are_aligned_and_numbers_stand_to_the_right(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("NAME", "COUNT", "WHY"), [("a", 5, "x"), ("long name", 1000, None)])
    assert capsys.readouterr().out == "NAME       COUNT  WHY\na              5  x\nlong name   1000  -\n"


def test_a_table_without_rows_is_its_titles(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("NAME", "COUNT"), [])
    assert capsys.readouterr().out == "NAME  COUNT\n"


def test_json_knows_values_and_bytes(capsys: pytest.CaptureFixture[str]) -> None:
    print_json([Edit(1, 2, b"\xff")])
    assert json.loads(capsys.readouterr().out) == [{"start": 1, "end": 2, "replacement": "/w=="}]


def test_control_characters_do_not_reach_the_terminal() -> None:
    assert printable("é\x1b[2J\r\n\u202e") == "é\N{REPLACEMENT CHARACTER}[2J" + "\N{REPLACEMENT CHARACTER}" * 3


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (59.9, "59s"), (60, "1m"), (3661, "1h1m"), (90061, "1d1h"), (86401, "1d1s")]
)
def test_an_age_has_its_two_largest_units(seconds: float, text: str) -> None:
    assert age(seconds) == text


def test_times_are_in_utc() -> None:
    assert when(0) == "1970-01-01 00:00:00Z"


def test_a_folded_header_shows_its_tab_as_space() -> None:
    assert printable("\tby mx.example.com") == "        by mx.example.com"


def test_moments_in_json_are_as_in_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    print_json([{"at": 0, "parked_at": 1.5, "next_attempt_at": None, "cat": 1, "inner": ({"at": 86400},)}])
    (output,) = json.loads(capsys.readouterr().out)
    assert (output["at"], output["parked_at"]) == ("1970-01-01T00:00:00.000+00:00", "1970-01-01T00:00:01.500+00:00")
    assert (output["next_attempt_at"], output["cat"]) == (None, 1)
    assert output["inner"] == [{"at": "1970-01-02T00:00:00.000+00:00"}]


def test_a_line_is_cut_visibly_on_a_terminal_alone(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "12")
    print_table(("ID", "DETAIL"), [("a", "x" * 20)])
    assert "x" * 20 in capsys.readouterr().out
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    print_table(("ID", "DETAIL"), [("a", "x" * 20)])
    assert capsys.readouterr().out.splitlines()[1] == "a   xxxxxxx…"
