"""Deliveries that wait for a smart host at its limit: in order, few, and not for ever."""

from __future__ import annotations

import asyncio

from services.egress.line import LONGEST_LINE, Line, Place

LONG = 3600.0


def never() -> float:
    return asyncio.get_running_loop().time() + LONG


def test_only_the_first_may_ask_and_the_next_follows_in_order() -> None:
    async def scenario() -> list[int]:
        line, asked = Line("exchange", LONG), list[int]()

        async def stand(number: int) -> None:
            place = Place(line)
            assert await place.wait(never)
            assert place.is_first
            asked.append(number)
            await asyncio.sleep(0)
            assert asked[-1] == number, "nobody else while it is first"
            place.leave()

        await asyncio.gather(*(stand(number) for number in range(5)))
        assert line.length == 0
        return asked

    assert asyncio.run(scenario()) == [0, 1, 2, 3, 4]


def test_the_first_looks_again_when_something_is_free() -> None:
    async def scenario() -> None:
        line = Line("exchange", LONG)
        place = Place(line)
        assert await place.wait(never)
        again = asyncio.create_task(place.wait(never))
        await asyncio.sleep(0)
        line.wake()
        assert await again

    asyncio.run(scenario())


def test_patience_counts_all_the_waits_of_an_attempt() -> None:
    async def scenario() -> None:
        line = Line("exchange", patience=0.01)
        place = Place(line)
        assert await place.wait(never)
        while await place.wait(lambda: asyncio.get_running_loop().time() + 0.001):
            pass
        assert (line.length, line.head.locked()) == (0, False), "the next is first"

    asyncio.run(scenario())


def test_a_hurried_line_dissolves() -> None:
    async def scenario() -> list[bool]:
        line = Line("exchange", LONG)
        places = [Place(line) for _ in range(5)]
        assert await places[0].wait(never)

        async def stand(place: Place) -> bool:
            try:
                return await place.wait(never)
            finally:
                place.leave()

        standing = [asyncio.create_task(stand(place)) for place in places]
        await asyncio.sleep(0)
        line.hurry()
        return await asyncio.gather(*standing)

    assert asyncio.run(scenario()) == [False] * 5


def test_fewer_may_come_when_some_waited_in_vain_and_more_when_they_are_served() -> None:
    async def scenario() -> None:
        line = Line("exchange", LONG)
        assert line.room == LONGEST_LINE
        for _ in range(10):
            line.join()
            line.leave(in_vain=True)
        assert line.room == 1, "somebody always asks"
        line.join()
        assert line.room == 0
        line.leave(in_vain=False)
        assert line.room == 2
        for _ in range(100):
            line.join()
            line.leave(in_vain=False)
        assert line.room == LONGEST_LINE

    asyncio.run(scenario())
