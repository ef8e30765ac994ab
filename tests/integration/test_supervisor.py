"""The supervisor and its children as real processes: restart, order, deadlines, and what happens when it is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes import eventually, is_running

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="children are tied to their parent on Linux only")

ROOT = Path(__file__).parents[2]
SUPERVISOR = """
import json, sys
from shared.operations.processes import Child, Program, Supervisor
spec = json.loads(sys.argv[1])
supervisor = Supervisor(
    [[Child(Program(name, command, {}, seconds)) for name, command, seconds in g] for g in spec],
    on_stop=lambda: print("stopping", flush=True),
)
supervisor.obey_signals()
supervisor.run(on_ready=lambda: print("ready", flush=True))
"""
CHILD = """
import os, signal, sys, time
name, folder, on_term = sys.argv[1:]
def stop(number, frame):
    if on_term == "stay":
        return
    with open(folder + "/order", "a") as file:
        file.write(name + " ")
    sys.exit()
signal.signal(signal.SIGTERM, stop)
with open(folder + "/" + name, "a") as file:
    file.write(str(os.getpid()) + " ")
time.sleep(120)
"""


class Supervised:
    """A supervisor in a process group of its own; its children write down their pids and the order they end in."""

    def __init__(self, folder: Path, *groups: dict[str, str], drain_seconds: float = 60) -> None:
        self.folder = folder
        spec = [
            [
                (name, [sys.executable, "-S", "-c", CHILD, name, str(folder), on_term], drain_seconds)
                for name, on_term in group.items()
            ]
            for group in groups
        ]
        self.process = subprocess.Popen(
            [sys.executable, "-c", SUPERVISOR, json.dumps(spec)],
            cwd=ROOT,
            start_new_session=True,
            stdout=subprocess.PIPE,
        )
        eventually(lambda: all(self.pids(name) for group in groups for name in group))

    def pids(self, name: str) -> list[int]:
        file = self.folder / name
        return [int(pid) for pid in file.read_text().split()] if file.exists() else []

    @property
    def order(self) -> list[str]:
        file = self.folder / "order"
        return file.read_text().split() if file.exists() else []

    def close(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)
        assert self.process.stdout
        self.process.stdout.close()


@pytest.fixture
def opened() -> Iterator[list[Supervised]]:
    made: list[Supervised] = []
    yield made
    for child in made:
        child.close()


def test_a_child_that_dies_is_started_again_and_the_rest_goes_on(tmp_path: Path, opened: list[Supervised]) -> None:
    supervised = Supervised(tmp_path, {"a": "end"}, {"b": "end"})
    opened.append(supervised)
    os.kill(supervised.pids("a")[0], signal.SIGKILL)
    eventually(lambda: len(supervised.pids("a")) == 2)
    assert is_running(supervised.pids("a")[1])
    assert len(supervised.pids("b")) == 1
    assert is_running(supervised.pids("b")[0])


def test_children_stop_in_the_order_of_their_groups(tmp_path: Path, opened: list[Supervised]) -> None:
    supervised = Supervised(tmp_path, {"a": "end"}, {"b": "end"}, {"c": "end"})
    opened.append(supervised)
    supervised.process.send_signal(signal.SIGTERM)
    assert supervised.process.wait(30) == 0
    assert supervised.order == ["a", "b", "c"]


def test_children_stop_in_order_though_nobody_reads_the_log(tmp_path: Path, opened: list[Supervised]) -> None:
    """What the supervisor writes then fails; children that it left behind would end all at once, Redis too."""
    supervised = Supervised(tmp_path, {"a": "end"}, {"b": "end"}, {"c": "end"})
    opened.append(supervised)
    assert supervised.process.stdout
    supervised.process.stdout.readline()
    supervised.process.stdout.close()
    supervised.process.send_signal(signal.SIGTERM)
    supervised.process.wait(30)
    assert supervised.order == ["a", "b", "c"]


def test_ctrl_c_reaches_the_supervisor_alone(tmp_path: Path, opened: list[Supervised]) -> None:
    """The terminal sends SIGINT to the whole group; the children hear of it from the supervisor, in order."""
    supervised = Supervised(tmp_path, {"a": "end"}, {"b": "end"})
    opened.append(supervised)
    os.killpg(supervised.process.pid, signal.SIGINT)
    assert supervised.process.wait(30) == 0
    assert supervised.order == ["a", "b"]


def test_a_child_that_does_not_end_is_killed_at_its_deadline(tmp_path: Path, opened: list[Supervised]) -> None:
    supervised = Supervised(tmp_path, {"a": "stay"}, {"b": "end"}, drain_seconds=0.3)
    opened.append(supervised)
    supervised.process.send_signal(signal.SIGTERM)
    assert supervised.process.wait(30) == 0
    assert supervised.order == ["b"]
    assert not is_running(supervised.pids("a")[0])


def test_children_end_with_a_supervisor_that_is_killed(tmp_path: Path, opened: list[Supervised]) -> None:
    supervised = Supervised(tmp_path, {"a": "end"}, {"b": "end"})
    opened.append(supervised)
    supervised.process.kill()
    eventually(lambda: not any(is_running(supervised.pids(name)[0]) for name in "ab"))
