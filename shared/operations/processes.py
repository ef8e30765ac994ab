"""Supervision of child processes: each is restarted with back-off when it dies; all are stopped in order at the end.

The death of a child does not affect the others. If the supervisor is killed, its children end too (`tether`).
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import FrameType

from shared.history.process import ProcessDied, ProcessKilled, ProcessStarted
from shared.operations import hangup
from shared.operations.log import emit
from shared.operations.tether import tethered

FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 30.0
STEADY_SECONDS = 30.0
"""After this long without a failure, the back-off starts again at the first wait."""
POLL_SECONDS = 0.05


def restart_wait(failures: int) -> float:
    """Return the seconds to wait before a child that failed `failures` times in a row (1, 2, …) is started again."""
    return float(min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2 ** min(failures - 1, 16)))


@dataclass(frozen=True, slots=True)
class Program:
    """A program to run. environment: added to the supervisor's.

    drain_seconds: how long it may take to end after the stop signal. is_ready: checked after its start, before its
    dependents are started. inherited: file descriptors that it keeps. apart: not in the process group, so that Ctrl-C
    or the SIGTERM of systemd and `timeout` does not reach it: only its supervisor stops it. reloads: whether it reads
    its settings again on SIGHUP. log: file for its output, by default the supervisor's.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    drain_seconds: float = 70.0
    is_ready: Callable[[], bool] = lambda: True
    inherited: tuple[int, ...] = ()
    apart: bool = False
    reloads: bool = False
    log: Path | None = None

    @property
    def stop_signal(self) -> signal.Signals:
        """The signal that stops it: SIGTERM may reach all processes, SIGINT only the terminal's process group."""
        return signal.SIGINT if self.apart else signal.SIGTERM


class Child:
    """A program that is running or waiting to be restarted."""

    def __init__(self, program: Program, on_exit: Callable[[int], None] = lambda _pid: None) -> None:
        self.program = program
        self._on_exit = on_exit
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._failures = 0
        self._start_at = 0.0

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self._process else None

    @property
    def was_started(self) -> bool:
        """Whether it was ever started."""
        return self._started_at > 0

    def is_ready(self) -> bool:
        """Whether it runs and is ready."""
        return self._process is not None and self.program.is_ready()

    def keep(self, now: float) -> None:
        """Start it when due; detect its death. now: monotonic seconds."""
        if self._process is None:
            if now >= self._start_at:
                self._start(now)
            return
        status = self._process.poll()
        if status is not None:
            self._on_exit(self._process.pid)
            self._process = None
            self._start_later(now, _status(status))

    def stop(self) -> None:
        """Send the stop signal, if it runs."""
        if self._process:
            self._process.send_signal(self.program.stop_signal)

    def reload(self) -> None:
        """Have it read its settings again, if it runs and can."""
        if self._process and self.program.reloads:
            self._process.send_signal(signal.SIGHUP)

    def kill(self) -> None:
        """Kill it, if it runs."""
        if self._process:
            self._process.kill()

    def has_ended(self) -> bool:
        """Whether it does not run."""
        if self._process and self._process.poll() is not None:
            self._on_exit(self._process.pid)
            self._process = None
        return self._process is None

    def _start(self, now: float) -> None:
        program = self.program
        self._started_at = now
        try:
            with hangup.held(), program.log.open("ab") if program.log else nullcontext() as output:
                self._process = subprocess.Popen(  # noqa: S603 (the command is ours)
                    tethered(program.command, program.stop_signal),
                    env={**os.environ, **program.environment},
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    umask=0o077,  # its files contain mail
                    pass_fds=program.inherited,
                    process_group=0 if program.apart else None,
                )
        except OSError as error:  # out of memory or of processes
            self._start_later(now, f"cannot be started ({error.strerror})")
            return
        emit(ProcessStarted(program.name, self._process.pid))

    def _start_later(self, now: float, status: str) -> None:
        self._failures = 1 if now - self._started_at >= STEADY_SECONDS else self._failures + 1
        wait = restart_wait(self._failures)
        self._start_at = now + wait
        name, log = self.program.name, self.program.log
        status += f", see {log}" if log else ""
        emit(ProcessDied(name, status, wait))


def _status(status: int) -> str:
    return f"signal {-status} ({signal.strsignal(-status)})" if status < 0 else f"exit {status}"


class Supervisor:
    """Runs groups of children until it is asked to stop. Each group depends on the group after it.

    Groups start from the last to the first, each when the one below is ready; they stop from the first to the last,
    each when the one above has ended. on_stop: called when the stop begins. may_reload: returns whether the children
    should read their settings again, after a SIGHUP.
    """

    def __init__(
        self,
        groups: Sequence[Sequence[Child]],
        on_stop: Callable[[], None] = lambda: None,
        may_reload: Callable[[], bool] = lambda: True,
    ) -> None:
        self._groups = groups
        self._on_stop = on_stop
        self._may_reload = may_reload
        self._stopping = False
        self._reloading = False

    def stop(self) -> None:
        """Begin to stop. May be called from a signal handler."""
        self._stopping = True

    def reload(self) -> None:
        """Have the children read their settings again, soon. May be called from a signal handler."""
        self._reloading = True

    def obey_signals(self) -> None:
        """Stop on SIGTERM and SIGINT, reload on SIGHUP: a terminal that is closed stops no mail."""

        def handle(number: int, _frame: FrameType | None) -> None:
            if number == signal.SIGHUP:
                self.reload()
            else:
                self.stop()

        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, handle)
        hangup.let_in()

    def run(self, is_ready: Callable[[], bool] = lambda: True, on_ready: Callable[[], None] = lambda: None) -> None:
        """Start all children, keep them running until the stop, then drain them; none is left running.

        on_ready: called once, when all are started and `is_ready()`, which is called often and should be fast.
        """
        started: list[Child] = []
        try:
            for group in reversed(self._groups):
                started += group
                self._keep(started, partial(_all_ready, group))
            if self._keep(started, is_ready):
                on_ready()
            self._keep(started, lambda: False)
        finally:
            self._drain()

    def _keep(self, children: Sequence[Child], done: Callable[[], bool]) -> bool:
        """Keep children running until `done()` and return True; return False if stopped first."""
        while not self._stopping:
            for child in children:
                child.keep(time.monotonic())
            if self._reloading:
                self._reloading = False
                self._pass_on_reload(children)
            if done():
                return True
            time.sleep(POLL_SECONDS)
        return False

    def _pass_on_reload(self, children: Sequence[Child]) -> None:
        if self._may_reload():
            for child in children:
                child.reload()

    def _drain(self) -> None:
        """Stop group after group, with SIGKILL at the deadline. Groups still to stop are kept running."""
        try:
            self._on_stop()
        finally:  # after any error: kill the children that were not stopped in order
            for index, group in enumerate(self._groups):
                below = [child for lower in self._groups[index + 1 :] for child in lower if child.was_started]
                _drain_group(group, below)


def _all_ready(group: Sequence[Child]) -> bool:
    return all(child.is_ready() for child in group)


def _drain_group(group: Sequence[Child], below: Sequence[Child]) -> None:
    began = time.monotonic()
    for child in group:
        child.stop()
    while waiting := [child for child in group if not child.has_ended()]:
        now = time.monotonic()
        for child in waiting:
            if now - began > child.program.drain_seconds:
                emit(ProcessKilled(child.program.name))
                child.kill()
        for child in below:
            child.keep(now)
        time.sleep(POLL_SECONDS)
