"""Deliveries that wait for a smart host at its limit: in order, few, and not for ever."""

from __future__ import annotations

import asyncio

from services.egress.throttle import MAX_WAITING, Throttle, Ticket

LONG = 3600.0


def never() -> float:
    return asyncio.get_running_loop().time() + LONG


def test_only_the_first_may_ask_and_the_next_follows_in_order() -> None:
    async def scenario() -> list[int]:
        throttle, asked = Throttle("exchange", LONG), list[int]()

        async def wait(number: int) -> None:
            ticket = Ticket(throttle)
            assert await ticket.wait(never)
            assert ticket.is_first
            asked.append(number)
            await asyncio.sleep(0)
            assert asked[-1] == number, "nobody else while it is first"
            ticket.release()

        await asyncio.gather(*(wait(number) for number in range(5)))
        assert throttle.waiting == 0
        return asked

    assert asyncio.run(scenario()) == [0, 1, 2, 3, 4]


def test_the_first_looks_again_when_something_is_free() -> None:
    async def scenario() -> None:
        throttle = Throttle("exchange", LONG)
        ticket = Ticket(throttle)
        assert await ticket.wait(never)
        again = asyncio.create_task(ticket.wait(never))
        await asyncio.sleep(0)
        throttle.wake()
        assert await again

    asyncio.run(scenario())


def test_the_longest_wait_covers_all_the_waits_of_an_attempt() -> None:
    async def scenario() -> None:
        throttle = Throttle("exchange", max_wait_seconds=0.01)
        ticket = Ticket(throttle)
        assert await ticket.wait(never)
        while await ticket.wait(lambda: asyncio.get_running_loop().time() + 0.001):
            pass
        assert (throttle.waiting, throttle.first.locked()) == (0, False), "the next is first"

    asyncio.run(scenario())


def test_a_stopped_throttle_ends_every_wait() -> None:
    async def scenario() -> list[bool]:
        throttle = Throttle("exchange", LONG)
        tickets = [Ticket(throttle) for _ in range(5)]
        assert await tickets[0].wait(never)

        async def wait(ticket: Ticket) -> bool:
            try:
                return await ticket.wait(never)
            finally:
                ticket.release()

        waiting = [asyncio.create_task(wait(ticket)) for ticket in tickets]
        await asyncio.sleep(0)
        throttle.stop()
        return await asyncio.gather(*waiting)

    assert asyncio.run(scenario()) == [False] * 5


def test_fewer_may_come_when_some_waited_timed_out_and_more_when_they_are_served() -> None:
    async def scenario() -> None:
        throttle = Throttle("exchange", LONG)
        assert throttle.room == MAX_WAITING
        for _ in range(10):
            throttle.join()
            throttle.leave(timed_out=True)
        assert throttle.room == 1, "one always asks"
        throttle.join()
        assert throttle.room == 0
        throttle.leave(timed_out=False)
        assert throttle.room == 2
        for _ in range(100):
            throttle.join()
            throttle.leave(timed_out=False)
        assert throttle.room == MAX_WAITING

    asyncio.run(scenario())
