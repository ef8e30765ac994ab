"""Group commit: messages that arrive together share one request, one script and one fsync.

While one group is written the next one collects, so groups grow with the load, and no message waits for a timer.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import cast

from shared.mail.envelope import Message
from shared.spool.operation import AsyncSpool, Operation

GROUPS_AT_ONCE = 4
"""Written at the same time, each on its own connection: a large message does not delay small ones."""
GROUP_MESSAGES = 64
GROUP_BYTES = 1_048_576
"""A larger message is a group of its own."""

Write = Callable[[Sequence[Message]], Operation[list[bool]]]


class GroupCommit:
    """Shared by all sessions of a process. write: the operation that makes a whole group durable, or nothing of it."""

    def __init__(self, spool: AsyncSpool, write: Write) -> None:
        self._spool = spool
        self._write = write
        self._waiting: deque[tuple[Message, asyncio.Future[bool]]] = deque()
        self._writers: set[asyncio.Task[None]] = set()

    async def write(self, message: Message) -> bool:
        """Return once the message is durable; False where its id was taken. Raises SpoolError for its whole group."""
        written: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((message, written))
        if len(self._writers) < GROUPS_AT_ONCE:
            self._writers.add(asyncio.create_task(self._write_until_nothing_waits()))
        return await written

    async def _write_until_nothing_waits(self) -> None:
        try:
            await self._write_groups()
        finally:  # at once: a message that comes before the loop learns of the task's end must not rely on it
            self._writers.discard(cast("asyncio.Task[None]", asyncio.current_task()))

    async def _write_groups(self) -> None:
        while self._waiting:
            group = self._next_group()
            try:
                answers = await self._spool.run(self._write([message for message, _ in group]))
            except Exception as error:  # noqa: BLE001 (each session replies to its client)
                for _, written in group:
                    if not written.cancelled():
                        written.set_exception(error)
            else:
                for (_, written), is_new in zip(group, answers, strict=True):
                    if not written.cancelled():
                        written.set_result(is_new)

    def _next_group(self) -> list[tuple[Message, asyncio.Future[bool]]]:
        group = [self._waiting.popleft()]
        size = len(group[0][0].content)
        while self._waiting and len(group) < GROUP_MESSAGES:
            size += len(self._waiting[0][0].content)
            if size > GROUP_BYTES:
                break
            group.append(self._waiting.popleft())
        return group
