"""The vocabulary of events: names, JSON, the docs, and that nothing else is written to log and histories."""

from __future__ import annotations

import ast
import inspect
import json
import logging
import re
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import history
from shared.history.base import Event, HistoryEvent
from shared.history.delivery import DeliveryReplayed
from shared.history.message import MessageConverted, NewDelivery
from shared.history.reasons import PARK_REASONS
from shared.history.vocabulary import EVENTS, MODULES, from_json, from_note

ROOT = Path(__file__).parents[4]
DOCS = ROOT / "docs" / "events.md"
LEVELS = {logging.INFO: "info", logging.WARNING: "warning", logging.ERROR: "error"}

any_event = st.one_of([st.from_type(kind) for kind in EVENTS.values()]).filter(
    lambda event: "NaN" not in event.to_json()
)
any_id = st.from_regex(r"[0-9a-f]{22}(-[a-z0-9-]+)?", fullmatch=True)


def kinds_below(kind: type[Event]) -> list[type[Event]]:
    return [found for below in kind.__subclasses__() for found in (below, *kinds_below(below))]


def test_every_module_and_every_event_is_in_the_vocabulary() -> None:
    folder = Path(inspect.getfile(history)).parent
    modules = {path.stem for path in folder.glob("*.py")} - {"__init__", "base", "reasons", "vocabulary"}
    assert {module.__name__.rpartition(".")[2] for module in MODULES} == modules
    named = {kind for kind in kinds_below(Event) if "name" in vars(kind)}
    assert {kind.__qualname__ for kind in named} == {kind.__qualname__ for kind in EVENTS.values()}
    assert len(EVENTS) == len({kind.__qualname__ for kind in EVENTS.values()}), "no two events share a name"


@pytest.mark.parametrize("kind", EVENTS.values(), ids=EVENTS)
def test_every_event_has_a_name_a_level_and_a_sentence(kind: type[Event]) -> None:
    assert re.fullmatch(r"[a-z_]+\.[a-z_]+", kind.name)
    assert kind.level in LEVELS
    assert sentence(kind).endswith(".")


@given(any_event)
def test_json_restores_every_event_exactly(event: Event) -> None:
    restored = from_json(event.to_json())
    assert restored == event
    assert type(restored) is type(event)
    assert restored.to_json() == event.to_json()


@given(any_event)
def test_a_field_of_a_newer_release_is_ignored(event: Event) -> None:
    data = {**json.loads(event.to_json()), "added_later": {"to": ["it"]}}
    assert from_json(json.dumps(data)) == event


@given(any_event.filter(lambda event: isinstance(event, HistoryEvent)), any_id)
def test_a_note_restores_an_event_without_repeating_the_id_of_its_message(event: HistoryEvent, id: str) -> None:
    event = replace(event, id=id)
    note = event.to_note()
    assert from_note(note, event.message_id) == event
    assert json.loads(note).get("id", "") == id[22:]


def test_json_has_no_blanks_and_no_defaults() -> None:
    event = MessageConverted("0199", 1.5, (NewDelivery("notes", ("a@x", "b@x"), 3), NewDelivery("exchange", ("c@x",))))
    assert event.to_json() == (
        '{"event":"message.converted","id":"0199","at":1.5,"deliveries":'
        '[{"system":"notes","recipients":["a@x","b@x"],"edits":3},{"system":"exchange","recipients":["c@x"]}]}'
    )


@pytest.mark.parametrize("text", ['{"event":"message.moved","id":"1","at":1}', "{}"])
def test_an_unknown_event_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match="not an event of this release"):
        from_json(text)


def test_an_event_of_the_log_alone_is_not_one_of_a_history() -> None:
    with pytest.raises(ValueError, match="not an event of a history"):
        from_note('{"event":"worker.stopped","worker":"w"}', "0199")


def test_every_event_of_a_history_has_the_id_of_its_message() -> None:
    assert DeliveryReplayed("0199a3-my-system", 1.0).message_id == "0199a3"
    assert DeliveryReplayed("0199a3", 1.0).message_id == "0199a3"


def sentence(kind: type[Event]) -> str:
    """Return the first paragraph of an event's docstring, on one line; without the fields that it explains."""
    first = " ".join(inspect.cleandoc(kind.__doc__ or "").partition("\n\n")[0].split())
    return re.split(r"(?<=\.) (?=[a-z_]+: )", first)[0]


def row(kind: type[Event]) -> str:
    """Return an event's line of the table in the docs."""
    where = "log, history" if issubclass(kind, HistoryEvent) else "log"
    names = ", ".join(f"`{field.name}`" for field in fields(kind))
    return f"| `{kind.name}` | {LEVELS[kind.level]} | {where} | {sentence(kind)} | {names} |"


def test_the_docs_list_every_event_and_no_other() -> None:
    rows = [line for line in DOCS.read_text().splitlines() if re.match(r"\| `[a-z_]+\.[a-z_]+` ", line)]
    assert rows == [row(kind) for kind in EVENTS.values()]


def test_the_runbook_explains_every_reason_of_a_dead_letter_and_no_other() -> None:
    table = (ROOT / "docs" / "runbook" / "dead-letters.md").read_text()
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    assert sorted(re.findall(r"`(\w+)`", "".join(cells))) == sorted(PARK_REASONS)


def calls_of_emit(path: Path) -> list[ast.Call]:
    def name(function: Any) -> Any:
        return getattr(function, "id", None) or getattr(function, "attr", None)

    return [
        node
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and name(node.func) == "emit"
    ]


@pytest.mark.parametrize("room", ["services", "shared"])
def test_events_are_written_as_values_never_as_text(room: str) -> None:
    calls = {path: calls_of_emit(path) for path in (ROOT / room).rglob("*.py")}
    assert any(calls.values())
    texts = [
        f"{path}:{call.lineno}"
        for path, found in calls.items()
        for call in found
        if not call.args or isinstance(call.args[0], ast.Constant | ast.JoinedStr)
    ]
    assert not texts


def test_every_event_is_written_somewhere() -> None:
    """By Python code that names its class, or by a script of the spool that names its verb."""
    code = [
        path for room in ("services", "shared") for path in (ROOT / room).rglob("*.py") if path.parent.name != "history"
    ]
    used = {node.id for path in code for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Name)}
    used |= {name for module in MODULES for name in re.findall(r"(?:return|else) (\w+)\(", inspect.getsource(module))}
    scripts = "".join(path.read_text() for path in (ROOT / "shared/spool/scripts").glob("*.lua"))
    verbs = set(re.findall(r"note_that\('(\w+)'", scripts))
    unused = [
        name for name, kind in EVENTS.items() if kind.__name__ not in used and name.partition(".")[2] not in verbs
    ]
    assert not unused
