"""Reads the spool's load periodically, on a connection of its own, so that no client waits for the answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace

from services.ingress.admission import Load
from shared.configuration.redis import RedisSettings
from shared.errors import SpoolError
from shared.history.spool import LoadCrashed, SpoolFailed
from shared.operations.log import emit
from shared.operations.tasks import end
from shared.spool.append_only_file import AppendOnlyFile
from shared.spool.gauge import gauge_queue, gauge_spool
from shared.spool.operation import AsyncSpool

PERIOD_SECONDS = 0.5


class LoadWatch:
    """Has the latest reading of the spool. queues: those whose ready jobs are counted."""

    def __init__(self, spool: AsyncSpool, settings: RedisSettings, queues: Sequence[str]) -> None:
        self._spool = spool
        self._settings = settings
        self._queues = queues
        self._file = AppendOnlyFile(settings.durability)
        self._load = Load(time.monotonic(), "not read yet")
        self._task: asyncio.Task[None] | None = None

    def load(self) -> Load:
        """Return the latest reading."""
        return self._load

    async def start(self) -> None:
        """Read once, then periodically until `stop`."""
        await self.read()
        self._task = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        """Stop reading."""
        await end([self._task] if self._task else [])

    async def read(self) -> None:
        """Read now. A spool that cannot be read is a reading too."""
        before = self._load.problem
        try:
            gauge = await self._spool.run(gauge_spool(self._settings))
            depth = sum([(await self._spool.run(gauge_queue(queue))).depth for queue in self._queues])
            problem = self._file.problem(gauge)
            self._load = Load(time.monotonic(), problem, gauge.used_bytes / gauge.max_bytes, depth, gauge.server)
        except SpoolError as error:
            self._load = replace(self._load, at=time.monotonic(), problem=str(error) or "away")
        if self._load.problem and self._load.problem != before:
            emit(SpoolFailed(self._load.problem))

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(PERIOD_SECONDS)
            try:
                await self.read()
            except Exception as error:  # noqa: BLE001 (a watch that ended unnoticed would refuse all mail for ever)
                emit(LoadCrashed(), error)
                self._load = replace(self._load, at=time.monotonic(), problem="cannot be read")
