"""Ending asyncio tasks."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

AGAIN_SECONDS = 0.1


async def end(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks until they have ended.

    One cancellation is not enough: `asyncio.wait_for` of Python 3.11 swallows one that comes together with its result
    (gh-86296, fixed in 3.12), and the clients of Redis, SMTP and DNS use it.
    """
    ending = set(tasks)
    while unfinished := [task for task in ending if not task.done()]:
        for task in unfinished:
            task.cancel()
        await asyncio.wait(unfinished, timeout=AGAIN_SECONDS)
