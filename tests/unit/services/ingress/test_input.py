"""Reading lines and chunks off what a client has sent."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingress.input import HIGH_WATER, Input

octets = st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b"a", b"bcdef", b"x" * 30]), max_size=30).map(b"".join)


async def lines_of(wire: bytes, step: int, limit: int) -> list[bytes]:
    source = Input()

    async def feed() -> None:
        for start in range(0, len(wire), step):
            source.feed(wire[start : start + step])
            await asyncio.sleep(0)
        source.end()

    async with asyncio.TaskGroup() as group:
        group.create_task(feed())
        found: list[bytes] = []
        while (line := await source.line(limit)) is not None:
            found.append(line)
    return found


@given(octets, st.integers(1, 20))
def test_lines_end_at_crlf_alone_and_long_ones_come_cut(wire: bytes, step: int) -> None:
    wanted = [line[:21] for line in wire.split(b"\r\n")[:-1]]
    assert asyncio.run(lines_of(wire, step, limit=20)) == wanted


async def _chunks() -> None:
    source = Input()
    source.feed(b"abcdef")
    assert await source.chunk(4) == b"abcd"
    source.unread(b"cd")
    assert source.waiting == 4
    assert await source.chunk() == b"cdef"
    source.end()
    assert await source.chunk() == b""


def test_chunks_come_in_order_and_can_be_put_back() -> None:
    asyncio.run(_chunks())


class Tap(asyncio.ReadTransport):
    """A transport that notes whether it is paused."""

    paused = False

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False


async def _flood() -> tuple[bool, bool]:
    source, tap = Input(), Tap()
    source.attach(tap)
    source.feed(b"x" * (HIGH_WATER + 1))
    flooded = tap.paused
    await source.chunk()
    return flooded, tap.paused


def test_a_client_that_floods_has_to_wait() -> None:
    assert asyncio.run(_flood()) == (True, False)


@pytest.mark.parametrize("wire", [b"NOOP", b"NOOP\r", b""])
def test_a_line_that_breaks_off_is_none(wire: bytes) -> None:
    assert asyncio.run(lines_of(wire, 2, limit=20)) == []


async def _late() -> tuple[bytes | None, bytes]:
    source = Input()
    source.feed(b"half a ")
    source.drop()
    source.feed(b"line\r\n")
    return await source.line(100), await source.chunk()


def test_what_comes_after_the_end_is_not_read() -> None:
    assert asyncio.run(_late()) == (None, b"")
