"""The algebra of edits, over any text and any edits of it."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.mail.edits import Edit, Edits, apply, compose, decode, encode, merge, pieces

OCTETS = st.binary(max_size=60)


@st.composite
def edits_of(draw: st.DrawFn, length: int) -> tuple[Edit, ...]:
    count = draw(st.integers(0, 6))
    cuts = sorted(draw(st.lists(st.integers(0, length), min_size=2 * count, max_size=2 * count)))
    return tuple(
        Edit(start, end, draw(st.binary(max_size=8))) for start, end in zip(cuts[::2], cuts[1::2], strict=True)
    )


@st.composite
def edited(draw: st.DrawFn) -> tuple[bytes, tuple[Edit, ...]]:
    text = draw(OCTETS)
    return text, draw(edits_of(len(text)))


@st.composite
def twice_edited(draw: st.DrawFn) -> tuple[bytes, tuple[Edit, ...], tuple[Edit, ...]]:
    text, first = draw(edited())
    return text, first, draw(edits_of(len(apply(text, first))))


@given(OCTETS)
def test_no_edits_leave_the_very_same_object(text: bytes) -> None:
    assert apply(text, ()) is text


@given(edited())
def test_octets_outside_the_spans_stay_and_those_inside_are_replaced(case: tuple[bytes, Edits]) -> None:
    text, edits = case
    expected = [text[at : at + 1] for at in range(len(text))]
    for edit in reversed(edits):
        expected[edit.start : edit.end] = [edit.replacement]
    assert apply(text, edits) == b"".join(expected)


@given(edited())
def test_pieces_join_to_the_edited_text(case: tuple[bytes, Edits]) -> None:
    text, edits = case
    assert b"".join(pieces(text, edits)) == apply(text, edits)


@pytest.mark.parametrize(
    "edits",
    [
        (Edit(2, 4, b""), Edit(3, 5, b"")),
        (Edit(4, 5, b""), Edit(1, 2, b"")),
        (Edit(4, 11, b""),),
        (Edit(5, 4, b""),),
        (Edit(-1, 4, b""),),
    ],
)
def test_edits_that_overlap_or_reach_outside_are_refused(edits: Edits) -> None:
    with pytest.raises(ValueError, match="overlap"):
        apply(b"0123456789", edits)


@given(twice_edited())
def test_a_composition_does_what_its_two_parts_do_in_turn(case: tuple[bytes, Edits, Edits]) -> None:
    text, first, second = case
    assert apply(text, compose(first, second)) == apply(apply(text, first), second)


@given(twice_edited(), st.data())
def test_composition_is_associative(case: tuple[bytes, Edits, Edits], data: st.DataObject) -> None:
    text, first, second = case
    third = data.draw(edits_of(len(apply(apply(text, first), second))))
    left = compose(compose(first, second), third)
    right = compose(first, compose(second, third))
    assert apply(text, left) == apply(text, right)


@given(twice_edited())
def test_a_composition_is_sorted_and_no_two_of_its_edits_touch(case: tuple[bytes, Edits, Edits]) -> None:
    _, first, second = case
    composed = compose(first, second)
    assert all(one.end < two.start for one, two in pairwise(composed))


def test_an_insertion_at_the_position_of_an_earlier_insertion_precedes_it() -> None:
    assert compose((Edit(3, 3, b"B"),), (Edit(3, 3, b"A"),)) == (Edit(3, 3, b"AB"),)


def test_a_deletion_reaches_across_earlier_replacements() -> None:
    first = (Edit(2, 4, b"xyz"), Edit(6, 6, b"+"))
    assert compose(first, (Edit(1, 8, b"!"),)) == (Edit(1, 6, b"!"),)


def test_taking_back_an_insertion_leaves_no_edit() -> None:
    assert compose((Edit(5, 5, b"abc"),), (Edit(5, 8, b""),)) == ()


def test_composition_refuses_edits_that_overlap() -> None:
    with pytest.raises(ValueError, match="overlap"):
        compose((Edit(0, 3, b""), Edit(2, 4, b"")), ())


@given(edited())
def test_stored_edits_come_back_equal(case: tuple[bytes, tuple[Edit, ...]]) -> None:
    assert decode(encode(case[1])) == case[1]


@given(st.lists(st.tuples(st.integers(0, 2**40), st.integers(0, 2**40), st.binary(max_size=300)), max_size=5))
def test_stored_edits_of_any_size_come_back_equal(steps: list[tuple[int, int, bytes]]) -> None:
    edits: list[Edit] = []
    for gap, length, replacement in steps:
        start = (edits[-1].end if edits else 0) + gap
        edits.append(Edit(start, start + length, replacement))
    assert list(decode(encode(edits))) == edits


@given(st.binary(max_size=40))
def test_octets_that_are_no_stored_edits_raise_value_error_or_decode(octets: bytes) -> None:
    try:
        decoded = decode(octets)
    except ValueError:
        return
    assert decode(encode(decoded)) == decoded


def test_truncated_stored_edits_are_rejected() -> None:
    encoded = encode([Edit(300, 400, b"replacement")])
    for length in range(len(encoded)):
        if length != 1:  # the format number alone is no edits at all
            with pytest.raises(ValueError, match=r"format|truncated"):
                decode(encoded[:length])


@given(edited())
def test_edits_that_were_dealt_out_merge_back(case: tuple[bytes, Edits]) -> None:
    text, edits = case
    insertions = [edit for edit in edits if edit.start == edit.end]
    assert apply(text, merge([edit for edit in edits if edit.start < edit.end], insertions)) == apply(text, edits)


def test_insertions_at_one_place_keep_the_order_of_their_groups() -> None:
    assert merge([Edit(4, 4, b"1"), Edit(4, 6, b"3")], [Edit(4, 4, b"2")]) == (
        Edit(4, 4, b"1"),
        Edit(4, 4, b"2"),
        Edit(4, 6, b"3"),
    )


def test_edits_of_two_groups_that_overlap_are_refused() -> None:
    with pytest.raises(ValueError, match="overlap"):
        merge([Edit(1, 5, b"")], [Edit(3, 3, b"x")])
