"""What is remembered of a meeting, and the UIDs of single meetings that stand for instances."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.transform.calendar.series import Series, Told, memory_key, series_of, single_uid
from shared.calendar.moments import Occurrence

instants = st.datetimes(datetime(1980, 1, 1), datetime(2100, 1, 1)).map(
    lambda one: one.replace(microsecond=0, tzinfo=UTC)
)
dates = st.dates(date(1980, 1, 1), date(2100, 1, 1))
told = st.one_of(
    *(
        st.builds(
            lambda original, slot, start, apart: Told(
                original, slot, Occurrence(start, start + timedelta(days=1)), apart
            ),
            kind,
            kind,
            kind,
            st.booleans(),
        )
        for kind in (instants, dates)
    )
)
series = st.builds(
    Series,
    uid=st.text(max_size=300),
    organizer_side=st.just("notes"),
    instances=st.lists(told, max_size=5).map(tuple),
    rule=st.sampled_from(["", "FREQ=DAILY;COUNT=5"]),
    zone=st.sampled_from(["UTC", "Europe/Berlin"]),
    sequence=st.integers(0, 99),
    source_sequence=st.integers(0, 99),
)


@given(series)
def test_a_series_survives_its_json(one: Series) -> None:
    assert Series.from_json(json.loads(json.dumps(one.to_json()))) == one


@pytest.mark.parametrize("value", [None, {}, {"format": 99}])
def test_nothing_and_other_formats_are_no_memory(value: dict[str, object] | None) -> None:
    assert Series.from_json(value) is None


@given(st.text(min_size=1), instants | dates)
def test_a_single_uid_names_series_and_instance(uid: str, slot: datetime | date) -> None:
    assert series_of(single_uid(uid, slot)) == (uid, slot)


@pytest.mark.parametrize(
    "uid", ["", "040000008200E0", "-causeway-20240101T000000Z", "a-causeway-tomorrow", "a-causeway-2024T"]
)
def test_other_uids_stand_for_no_instance(uid: str) -> None:
    assert series_of(uid) is None


@given(series, instants)
def test_it_is_forgotten_a_margin_after_its_end(one: Series, now: datetime) -> None:
    at = one.expires_at(now.timestamp(), 60)
    assert at >= now.timestamp() + 60
    ends = [told.occurrence.end for told in one.instances if isinstance(told.occurrence.end, datetime)]
    assert all(at >= end.timestamp() + 60 for end in ends)


def test_keys_are_short_and_apart() -> None:
    keys = {memory_key(side, uid) for side in ("notes", "exchange") for uid in ("a", "b", "x" * 5000, "x" * 5001)}
    assert len(keys) == 8
    assert max(map(len, keys)) < 250


def test_an_instance_is_found_by_where_it_first_was_before_where_it_is() -> None:
    """After a shift by a day, each instance is where its neighbour first was."""
    days = [datetime(2024, 1, day, 9, tzinfo=UTC) for day in range(1, 5)]
    shifted = tuple(Told(one, two, Occurrence(two, two + timedelta(hours=1))) for one, two in itertools.pairwise(days))
    meeting = Series("a", "notes", shifted)
    found = [meeting.find(day) for day in days]
    assert [one and one.original for one in found] == [*days[:3], days[2]]
