from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from shared.mail.line_ends import has_bare_newline, normalize

octets = st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b".", b"a", b"\0", b"\xff", b"\x85"])).map(b"".join)


@given(octets)
def test_a_bare_newline_is_one_that_no_pair_holds(content: bytes) -> None:
    left = content.replace(b"\r\n", b"")
    assert has_bare_newline(content) == (b"\r" in left or b"\n" in left)


@given(octets)
def test_normalising_leaves_no_bare_newline_and_nothing_else_changed(content: bytes) -> None:
    normal = normalize(content)
    assert not has_bare_newline(normal)
    assert normal == re.sub(rb"\r\n|\r|\n", b"\r\n", content)


@given(octets.map(normalize))
def test_what_is_normal_stays_the_same_object(content: bytes) -> None:
    assert normalize(content) is content
