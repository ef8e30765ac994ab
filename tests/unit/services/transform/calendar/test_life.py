"""The four properties of the function that decides what a notice means."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.transform.calendar.life import Life, Statement
from services.transform.calendar.memory import MeetingMemory, memory_key, recall_meeting
from services.transform.calendar.notice import Notice, decide
from shared.calendar.moments import Occurrence
from shared.spool.memory import Memory

HOUR = timedelta(hours=1)
SLOTS = [datetime(2027, 1, number, 9, tzinfo=UTC) for number in range(11, 15)]


def at(slot: datetime, hours: int = 0) -> Occurrence:
    return Occurrence(slot + hours * HOUR, slot + (hours + 1) * HOUR)


def whole(sequence: int, stamped_at: int, hours: int) -> Statement:
    spans = tuple(at(slot, hours) for slot in SLOTS)
    return Statement(sequence, stamped_at, "all", slots=tuple(one.start for one in spans), occurrences=spans)


@st.composite
def lives(draw: st.DrawFn) -> list[Statement]:
    """Draw what an organizer says one after another: SEQUENCE never falls, DTSTAMP rises."""
    said = [whole(0, 1, 0)]
    sequence = 0
    for number in range(draw(st.integers(0, 5))):
        stamped_at = number + 2
        slot = draw(st.sampled_from(SLOTS))
        kind = draw(st.sampled_from(["reschedule", "move", "cancel", "rest", "cancel rest", "cancel all"]))
        sequence += kind in ("reschedule", "move", "rest") or draw(st.booleans())
        hours = draw(st.integers(-3, 3))
        said.append(
            {
                "reschedule": whole(sequence, stamped_at, hours),
                "move": Statement(sequence, stamped_at, "one", slot=slot, occurrences=(at(slot, hours),)),
                "cancel": Statement(sequence, stamped_at, "one", is_cancelled=True, slot=slot),
                "rest": Statement(
                    sequence,
                    stamped_at,
                    "rest",
                    slot=slot,
                    occurrences=tuple(at(one, hours) for one in SLOTS if one >= slot),
                ),
                "cancel rest": Statement(sequence, stamped_at, "rest", is_cancelled=True, slot=slot),
                "cancel all": Statement(sequence, stamped_at, "all", is_cancelled=True),
            }[kind]
        )
    return said


def notice(*statements: Statement) -> Notice:
    is_cancelled = any(statement.is_cancelled for statement in statements)
    return Notice((), lambda _name: UTC, UTC, is_cancelled, statements, None, notice_type="C")


def after(statements: Sequence[Statement], *, keeps_names: bool = True) -> MeetingMemory:
    memory = MeetingMemory(Life(keeps_names=keeps_names))
    for statement in statements:
        memory = decide(memory, notice(statement)).memory
    return memory


def spans(memory: MeetingMemory) -> list[Occurrence]:
    return [held.occurrence for held in memory.life.meeting(UTC).alive]


@given(lives(), st.booleans())
def test_the_same_notice_twice_means_the_same_twice(said: list[Statement], keeps_names: bool) -> None:
    memory = after(said[:-1], keeps_names=keeps_names)
    first = decide(memory, notice(said[-1]))
    second = decide(first.memory, notice(said[-1]))
    assert (second.meeting, second.memory, second.is_in_force) == (first.meeting, first.memory, first.is_in_force)


@given(lives(), st.data())
def test_a_notice_that_is_out_of_date_changes_nothing(said: list[Statement], data: st.DataObject) -> None:
    memory = after(said)
    decision = decide(memory, notice(data.draw(st.sampled_from(said))))
    assert decision.memory == memory
    assert spans(decision.memory) == spans(memory)


@given(lives(), st.randoms(use_true_random=False), st.booleans())
def test_any_order_ends_in_the_same_meeting(said: list[Statement], chance: object, keeps_names: bool) -> None:
    shuffled = list(said)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert spans(after(shuffled, keeps_names=keeps_names)) == spans(after(said, keeps_names=keeps_names))


@given(st.text(min_size=1, max_size=300), st.text(max_size=30), st.text(max_size=30), lives())
def test_another_organizers_meeting_is_another_memory(uid: str, one: str, other: str, said: list[Statement]) -> None:
    if one.casefold() == other.casefold():
        return
    memories = {memory_key("exchange", uid, one): Memory(1, after(said).to_json())}
    theirs = recall_meeting(lambda key: memories.get(key, Memory()), "exchange", "notes", uid, other, keeps_names=True)
    assert theirs.memory == MeetingMemory(Life(keeps_names=True))
    assert theirs.key not in memories


@given(lives())
def test_a_memory_survives_its_json(said: list[Statement]) -> None:
    memory = dataclasses.replace(after(said), people=("a", "b"))
    assert MeetingMemory.from_json(json.loads(json.dumps(memory.to_json()))) == memory


def test_a_long_life_is_kept_short_and_stays_the_same() -> None:
    said = [whole(0, 1, 0)]
    for number in range(100):
        slot = SLOTS[number % 4]
        said.append(Statement(number + 1, number + 2, "one", slot=slot, occurrences=(at(slot, number % 7 - 3),)))
    memory = after(said)
    assert len(memory.life.statements) <= 30
    assert spans(memory) == [at(slot, (96 + number) % 7 - 3) for number, slot in enumerate(SLOTS)]
