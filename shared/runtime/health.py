"""Whether a service lives (its loop runs) and is ready (it can take mail).

A service calls `beat()` in its loop and `drain()` when it stops taking work. Everything else is evaluated when a
request comes in, in a thread of its own, so that a stuck loop cannot hide.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

LIVE_SECONDS = 60.0
"""A loop without a beat for so long is stuck, unless its work on one message may take longer."""

Probe = Callable[[], str]
"""Returns "" when ready, else the reason in one line. Never raises."""


class Health:
    """The state of one process.

    beat_file: touched at each beat, for the parent of a group of processes. live_seconds: the silence that means stuck.
    """

    def __init__(
        self, probe: Probe = lambda: "", beat_file: Path | None = None, live_seconds: float = LIVE_SECONDS
    ) -> None:
        self.draining = False
        self._live_seconds = live_seconds
        self._probe = probe
        self._beat_file = beat_file
        self._beaten_at = time.monotonic()
        self._touched_at = float("-inf")
        self._has_begun = False

    def beat(self) -> None:
        """Record that the service is at work and its loop runs. Cheap enough for every turn of a loop."""
        now = time.monotonic()
        if self._beat_file and now - self._touched_at >= 1:
            self._beat_file.touch()
            self._touched_at = now
        self._beaten_at = now
        self._has_begun = True

    def has_begun(self) -> bool:
        """Return whether the service is at work: ingress listens, a worker leases."""
        return self._has_begun

    def drain(self) -> None:
        """Record that no more work is taken: not ready from now on, still alive."""
        self.draining = True

    def silent_seconds(self) -> float:
        """Return the seconds since the last beat."""
        return time.monotonic() - self._beaten_at

    def live(self) -> str:
        """Return "" while the loop runs, or drains within its own time limit, else the reason."""
        silent = self.silent_seconds()
        is_stuck = silent > self._live_seconds and not self.draining
        return f"no heartbeat for {silent:.0f} s" if is_stuck else ""

    def ready(self) -> str:
        """Return "" when the service can take mail, else the reason."""
        if self.draining:
            return "draining"
        return self.live() or ("" if self.has_begun() else "starting") or self._probe()


class GroupHealth(Health):
    """The health of a parent whose children do the work: alive while each of their beat files is fresh."""

    def __init__(self, beat_files: list[Path], probe: Probe = lambda: "", live_seconds: float = LIVE_SECONDS) -> None:
        super().__init__(probe, live_seconds=live_seconds)
        self._beat_files = beat_files
        self._since = time.time()

    def has_begun(self) -> bool:
        """Return whether every child is at work."""
        return all(file.exists() for file in self._beat_files)

    def silent_seconds(self) -> float:
        """Return the seconds since the last beat of the quietest child; a child has as long to start."""
        return time.time() - min(_touched_at(file, self._since) for file in self._beat_files)


def _touched_at(file: Path, otherwise: float) -> float:
    try:
        return file.stat().st_mtime
    except OSError:
        return otherwise
