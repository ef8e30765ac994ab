"""A tethered command hears one signal, whatever its parent hears."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from shared.operations.tether import tethered
from tests.support.processes import eventually, is_running

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="children are tied to their parent on Linux only")

SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
CHILD = [
    sys.executable,
    "-S",
    "-c",
    "import signal, time; signal.signal(signal.SIGINT, signal.SIG_DFL); print('up', flush=True); time.sleep(60)",
]


@pytest.mark.parametrize("blocked", [set(), SIGNALS], ids=["parent hears all", "parent hears nothing"])
@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_a_tethered_command_hears_its_stop_alone(stop: signal.Signals, blocked: set[signal.Signals]) -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, blocked)
    try:
        child = subprocess.Popen(tethered(CHILD, stop), stdout=subprocess.PIPE, text=True)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == "up\n"
        for other in SIGNALS - {stop}:
            child.send_signal(other)
        assert pending(child.pid) == SIGNALS - {stop}
        child.send_signal(stop)
    assert child.returncode == -stop


def pending(pid: int) -> set[signal.Signals]:
    """Return which of the signals wait at a process that blocks them."""
    (mask,) = (line.split()[1] for line in Path(f"/proc/{pid}/status").read_text().splitlines() if "ShdPnd" in line)
    return {number for number in SIGNALS if int(mask, 16) >> (number - 1) & 1}


def test_a_tethered_command_ends_with_its_parent() -> None:
    code = (
        "import signal, subprocess, sys, time; from shared.operations.tether import tethered;"
        f"child = subprocess.Popen(tethered({CHILD!r}, signal.SIGINT), stdout=subprocess.PIPE);"
        "child.stdout.readline(); print(child.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert is_running(pid)
        os.kill(parent.pid, signal.SIGKILL)
    eventually(lambda: not is_running(pid))
