"""The settings in force in a running process, and their replacement on SIGHUP.

The file and the environment are read again as a whole. Where that cannot be used, nothing changes, and the faults are
logged; else the process builds what depends on the settings and takes it over in one step: work in hand ends with what
it began with. `shared.configuration.restart` has the rule for what needs a restart.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from shared import configuration
from shared.configuration.restart import Merged, merge
from shared.configuration.settings import Settings
from shared.diagnosis.check import faults_before_start
from shared.errors import ConfigurationError
from shared.history.configuration import ConfigurationRejected, ConfigurationReloaded, RestartNeeded
from shared.operations import hangup
from shared.operations.log import emit

T = TypeVar("T")
Check = Callable[[Settings, Path | None], list[str]]


@dataclass(frozen=True, slots=True)
class Candidate(Generic[T]):
    """Settings that were read and can be used, and what was built from them."""

    merged: Merged
    built: T


class CurrentSettings:
    """The settings in force. config: as given with --config. check: returns faults that forbid their use.

    on_change: called with new settings once they are in force.
    """

    def __init__(
        self,
        settings: Settings,
        config: Path | None = None,
        *,
        check: Check = faults_before_start,
        on_change: Callable[[Settings], None] = lambda _settings: None,
    ) -> None:
        self.settings = settings
        self._config = config
        self._check = check
        self._on_change = on_change

    def read(self, build: Callable[[Settings], T]) -> Candidate[T] | None:
        """Read everything again and build from it, changing nothing; None where it cannot be used, which is logged.

        build: raises ConfigurationError for what cannot be used.
        """
        try:
            file = configuration.find(self._config)
            merged = merge(self.settings, configuration.load(file))
            if faults := self._check(merged.settings, file):
                raise ConfigurationError(*faults)
            return Candidate(merged, build(merged.settings))
        except ConfigurationError as error:
            emit(ConfigurationRejected(tuple(error.faults)))
        except Exception as error:  # noqa: BLE001 (a bug in reading a file stops no mail)
            emit(ConfigurationRejected((f"cannot be read: {type(error).__name__}",)), error)
        return None

    def take(self, candidate: Candidate[T]) -> T:
        """Put the settings of a candidate in force, and return what was built from them."""
        merged = candidate.merged
        self.settings = merged.settings
        self._on_change(merged.settings)
        emit(ConfigurationReloaded(merged.changed))
        if merged.kept:
            emit(RestartNeeded(merged.kept))
        return candidate.built

    def reload(self) -> bool:
        """Read everything again and put it in force; return whether it can be used. For what builds nothing from it."""
        candidate = self.read(lambda _settings: None)
        if candidate:
            self.take(candidate)
        return candidate is not None


async def reload_on_hangup(
    current: CurrentSettings, build: Callable[[Settings], T], apply: Callable[[T], None]
) -> None:
    """On each SIGHUP read and build in a thread, then apply in the event loop. Runs until cancelled.

    Signals that come while one is handled are handled together.
    """
    asked = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, asked.set)
    hangup.let_in()
    while True:
        await asked.wait()
        asked.clear()
        candidate = await asyncio.to_thread(current.read, build)
        if candidate:
            apply(current.take(candidate))
