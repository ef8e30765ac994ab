"""Message ids that tie threads together."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.transform.pipeline import Context, convert
from services.transform.steps import references
from shared.mail.edits import apply

MakeContext = Callable[[str, str], Context]


def converted(value: bytes, context: Context, name: bytes = b"References") -> bytes:
    content = name + b":" + value + b"\r\nSubject: <x@y><z@y>\r\n\r\n<a@b><c@d>\r\n"
    result = apply(content, convert(content, context, [references.STEP]).edits)
    return result.removeprefix(name + b":").removesuffix(b"\r\nSubject: <x@y><z@y>\r\n\r\n<a@b><c@d>\r\n")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b" <a@b><c@d><e@f>", b" <a@b>\r\n <c@d>\r\n <e@f>"),
        (b" <a@b>\t<c@d>", b" <a@b>\t<c@d>"),
        (b" <a\r\n @b>", b" <a@b>"),
        (b" <a@\r\n\tb>\r\n <c@d>", b" <a@b>\r\n <c@d>"),
        (b" <a b@c>", b" <a b@c>"),
        (b" <a\r\n  b@c>", b" <a\r\n  b@c>"),
        (b" <not\r\n an id>", b" <not\r\n an id>"),
        (b" Your message of <yesterday", b" Your message of <yesterday"),
        (b"", b""),
    ],
)
@pytest.mark.parametrize("name", [b"References", b"In-Reply-To", b"REFERENCES"])
def test_ids_are_parted_and_made_whole(name: bytes, value: bytes, expected: bytes, make_context: MakeContext) -> None:
    assert converted(value, make_context("domino", "exchange"), name) == expected


_IDS = st.lists(st.from_regex(rb"<[A-Za-z0-9.=+-]{1,120}@[a-z.]{0,60}>", fullmatch=True), min_size=1, max_size=60)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_IDS, st.sampled_from([b"", b" ", b"\r\n ", b"\r\n\t"]))
def test_a_list_keeps_its_order_and_its_ends(make_context: MakeContext, ids: list[bytes], between: bytes) -> None:
    value = b" " + between.join(ids)
    result = converted(value, make_context("domino", "exchange"))
    left = result.split()
    assert [identifier for identifier in left if not re.fullmatch(rb"<[^<>\s]+>", identifier)] == []
    assert left[0] == ids[0]
    assert left[1:] == (ids[len(ids) - len(left) + 1 :] if len(left) > 1 else [])
    assert len(left) == len(ids) or len(left) >= 1 + references.FEWEST_LAST
    unfolded = b"References:" + result.replace(b"\r\n", b"")
    assert len(unfolded) <= references.MAX_OCTETS or len(left) <= 1 + references.FEWEST_LAST
