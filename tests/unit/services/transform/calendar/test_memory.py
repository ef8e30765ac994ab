"""What is remembered of a meeting that was sent, and the UIDs of single meetings that stand for instances."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.transform.calendar.life import Life
from services.transform.calendar.memory import MeetingMemory, memory_key, recall_meeting
from services.transform.calendar.sent import Replaced, SentInstance, SentMeeting
from services.transform.calendar.uids import series_of, single_uid
from shared.calendar.moments import Occurrence
from shared.spool.memory import Memory

instants = st.datetimes(datetime(1980, 1, 1), datetime(2100, 1, 1)).map(
    lambda one: one.replace(microsecond=0, tzinfo=UTC)
)
dates = st.dates(date(1980, 1, 1), date(2100, 1, 1))
marks = st.sampled_from(["", "1a2b3c4d"])
instances = st.one_of(
    *(
        st.builds(
            lambda original, slot, start, **more: SentInstance(
                original, slot, Occurrence(start, start + timedelta(days=1)), **more
            ),
            kind,
            kind,
            kind,
            is_apart=st.booleans(),
            is_cancelled=st.booleans(),
            sequence=st.integers(0, 9),
            source_sequence=st.integers(0, 9),
            changed_by=marks,
            left_by=marks,
        )
        for kind in (instants, dates)
    )
)
some = st.lists(instances, max_size=5).map(tuple)
meetings = st.builds(
    SentMeeting,
    uid=st.text(max_size=300),
    instances=some,
    rule=st.sampled_from(["", "FREQ=DAILY;COUNT=5"]),
    start=st.none() | instants | dates,
    length=st.integers(0, 99_999).map(lambda seconds: timedelta(seconds=seconds)),
    zone=st.sampled_from(["UTC", "Europe/Berlin"]),
    sequence=st.integers(0, 99),
    source_sequence=st.integers(0, 99),
    stamped_at=st.integers(0, 2**31),
    cancelled_by=marks,
    was_cut=st.booleans(),
    replaced=st.none() | st.builds(Replaced, st.text(max_size=9), st.booleans(), some, st.integers(0, 9), marks),
)


@given(meetings)
def test_what_was_sent_survives_its_json(sent: SentMeeting) -> None:
    memory = MeetingMemory(sent=sent)
    assert MeetingMemory.from_json(json.loads(json.dumps(memory.to_json()))) == memory


@pytest.mark.parametrize("value", [None, {}, {"format": 99}])
def test_nothing_and_other_formats_are_no_memory(value: dict[str, object] | None) -> None:
    assert MeetingMemory.from_json(value) is None


def test_a_memory_of_format_1_is_read_as_the_first_statement() -> None:
    start = int(datetime(2027, 1, 11, 9, tzinfo=UTC).timestamp())
    rows = [
        [start - 3600, start, start, start + 3600, 0],
        [start + 82_800, start + 86_400, start + 86_400, start + 90_000, 1],
    ]
    old = {
        "format": 1,
        "uid": "a",
        "organizer_side": "notes",
        "rule": "FREQ=DAILY;COUNT=2",
        "zone": "UTC",
        "sequence": 3,
        "source_sequence": 1,
        "instances": rows,
    }
    memories = {"series:exchange:a": Memory(4, old)}

    def recall(key: str) -> Memory:
        return memories.get(key, Memory())

    found = recall_meeting(recall, "exchange", "notes", "a", "ann@example.com", keeps_names=True)
    assert found.version == 0
    assert found.key == memory_key("exchange", "a", "ann@example.com")
    assert found.memory.sent
    assert found.memory.sent.sequence == 3
    assert [one.is_apart for one in found.memory.sent.instances] == [False, True]
    alive = found.memory.life.meeting(UTC).alive
    assert [int(held.original.timestamp()) for held in alive if isinstance(held.original, datetime)] == [
        row[0] for row in rows
    ]
    other_side = recall_meeting(recall, "exchange", "other", "a", "ann@example.com", keeps_names=True)
    assert other_side.memory == MeetingMemory(Life(keeps_names=True))


@given(st.text(min_size=1), instants | dates)
def test_a_single_uid_names_series_and_instance(uid: str, slot: datetime | date) -> None:
    assert series_of(single_uid(uid, slot)) == (uid, slot)


@pytest.mark.parametrize(
    "uid", ["", "040000008200E0", "-causeway-20240101T000000Z", "a-causeway-tomorrow", "a-causeway-2024T"]
)
def test_other_uids_stand_for_no_instance(uid: str) -> None:
    assert series_of(uid) is None


@given(meetings, instants)
def test_it_is_forgotten_a_margin_after_its_end(sent: SentMeeting, now: datetime) -> None:
    at = sent.expires_at(now.timestamp(), 60)
    assert at >= now.timestamp() + 60
    ends = [one.occurrence.end for one in sent.instances if isinstance(one.occurrence.end, datetime)]
    assert all(at >= end.timestamp() + 60 for end in ends)


def test_keys_are_short_and_apart() -> None:
    keys = {
        memory_key(side, uid, organizer)
        for side in ("notes", "exchange")
        for uid in ("a", "b", "x" * 5000, "x" * 5001)
        for organizer in ("ann@example.com", "bob@example.com")
    }
    assert len(keys) == 16
    assert max(map(len, keys)) < 250
