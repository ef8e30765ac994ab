"""The demonstration as a program: whatever ends it, nothing of it is left."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes import eventually, is_running


class Demo:
    """`causeway demo --stay` with a folder of its own for temporary files; it inherits an ignored SIGINT."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.log = folder, folder.parent / "log"
        command = [
            sys.executable,
            "-c",
            "import signal, sys; signal.signal(2, 1); from services.cli.main import main;"
            "sys.exit(main(['demo', '--stay']))",
        ]
        environment = {**os.environ, "TMPDIR": str(folder)}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, start_new_session=True)

    def has_printed(self, text: str) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        return text in self.log.read_text()

    def pids(self) -> list[int]:
        """Return every process that was started from the demonstration's folder."""
        found = []
        for entry in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = entry.read_bytes()
            except OSError:
                continue
            if os.fsencode(self.folder) in words:
                found.append(int(entry.parent.name))
        return [pid for pid in found if is_running(pid)]

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)
        eventually(lambda: not self.pids())


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    (tmp_path / "t").mkdir()
    running = Demo(tmp_path / "t")
    yield running
    running.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_all_of_a_demonstration(demo: Demo, number: signal.Signals) -> None:
    eventually(lambda: demo.has_printed("Ctrl-C ends it"), 60)
    assert len(demo.pids()) >= 7, "two catchers, up, three services, Redis"
    (folder,) = demo.folder.glob("causeway-demo-*")
    log = (folder / "gateway.log").open()  # its name goes with the folder
    demo.process.send_signal(number)
    assert demo.process.wait(60) == 0, demo.log.read_text()
    assert demo.pids() == []
    assert list(demo.folder.iterdir()) == []
    with log:
        output = log.read()
    assert "drain.started" in output
    assert "process.killed" not in output, "everything ended when it was asked to"


def test_a_demonstration_that_is_killed_takes_everything_along(demo: Demo) -> None:
    eventually(lambda: len(demo.pids()) >= 4, 60)
    demo.process.kill()
    eventually(lambda: not demo.pids())


def test_a_demonstration_says_how_to_ask_it_and_that_its_port_is_another(tmp_path: Path) -> None:
    (tmp_path / "t").mkdir()
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind(("127.0.0.1", 2525))
            taken.listen()
        except OSError:
            pass  # somebody else has it, which is as good
        demo = Demo(tmp_path / "t")
        try:
            eventually(lambda: demo.has_printed("Ctrl-C ends it"), 60)
            assert demo.has_printed("Port 2525 is in use by another program")
            assert demo.has_printed("apt install swaks") == (shutil.which("swaks") is None)
            (command,) = re.findall(r"^  (\S*causeway queue .*)", demo.log.read_text(), re.MULTILINE)
            environment = {**os.environ, "TMPDIR": str(demo.folder)}  # a folder as long as ours has its socket there
            output = subprocess.run(command.split(), capture_output=True, env=environment, check=True, cwd=tmp_path)
            assert b"transform" in output.stdout
        finally:
            demo.process.terminate()
            demo.process.wait(60)
            demo.close()


def test_a_temporary_folder_with_a_long_path_is_one_fault_at_once(tmp_path: Path) -> None:
    long = tmp_path / ("t" * 120)
    long.mkdir()
    command = [sys.executable, "-m", "services.cli.main", "demo"]
    environment = {**os.environ, "TMPDIR": str(long)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=30, check=False)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "the path of the Redis socket has" in done.stderr
    assert "set TMPDIR to a shorter folder" in done.stderr
    assert list(long.iterdir()) == []
