"""docs/dead-letters.md, followed word by word: its configuration, its commands, on ports that are free."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from services.demo.ports import adjacent_ports, free_ports
from shared.runtime.data_folder import DataFolder
from tests.support.processes import eventually

PAGE = (Path(__file__).parents[2] / "docs" / "dead-letters.md").read_text()
EXAMPLE = PAGE[PAGE.index("## Worked example") :]
BLOCKS = re.findall(r"^```(.*)\n([\s\S]*?)^```$", EXAMPLE, re.MULTILINE)
SHOWN_ID = re.compile(r"\b[0-9a-f]{22}-exchange\b")
SECONDS = 60


class Reader:
    """A person with the page, a shell and an empty folder."""

    def __init__(self, folder: Path) -> None:
        ports = [*free_ports(3), adjacent_ports()]
        self._ports = dict(zip(("2601", "2603", "2604", "2610"), map(str, ports), strict=True))
        self._folder = folder
        programs = str(Path(sys.executable).parent)
        self._environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "PYTHONUNBUFFERED": "1"}
        (folder / "causeway.yaml").write_text(self._mine(next(text for kind, text in BLOCKS if kind == "yaml")))

    def _mine(self, text: str) -> str:
        return re.sub("|".join(self._ports), lambda found: self._ports[found[0]], text)

    def shell(self, command: str) -> str:
        """Type a command of the page; return what it prints."""
        done = subprocess.run(
            ["bash", "-c", self._mine(command)],
            cwd=self._folder,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @contextmanager
    def terminal(self, command: str, says: str) -> Iterator[None]:
        """Leave a command running in a terminal until Ctrl-C."""
        log = self._folder / f"{len(list(self._folder.glob('*.log')))}.log"
        words = self._mine(command).split()
        with log.open("wb") as output:
            process = subprocess.Popen(
                words, cwd=self._folder, env=self._environment, stdout=output, stderr=output, start_new_session=True
            )
        try:
            eventually(lambda: process.poll() is not None or says in log.read_text(), SECONDS)
            assert process.poll() is None, log.read_text()
            yield
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(SECONDS)

    def json(self, command: str) -> list[dict[str, Any]]:
        answer: list[dict[str, Any]] = json.loads(self.shell(f"{command} --data data --json"))
        return answer


def blocks(start: str) -> list[str]:
    return [text for kind, text in BLOCKS if not kind and text.startswith(start)]


def typed(start: str) -> list[str]:
    """Return the command lines of the page that begin so, in their order."""
    lines = [line.removeprefix("$ ") for kind, text in BLOCKS if not kind for line in text.splitlines()]
    return [line for line in lines if line.startswith(start)]


def test_the_incident_ends_as_the_page_says(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    refusing, mended = typed("python -m services.demo.catcher")
    dry_run, one_alone, all_others = typed("causeway dead replay")
    with reader.terminal(typed("causeway up")[0], "causeway is up"):
        with reader.terminal(refusing, "catching"):
            [send] = blocks("python - <<")
            reader.shell(send)
            eventually(lambda: len(reader.json("causeway dead list")) == 3, SECONDS)
        [listing] = typed("causeway dead list")
        first, _, last = SHOWN_ID.findall(reader.shell(listing))
        shown = reader.shell(SHOWN_ID.sub(last, typed("causeway dead show")[0]))
        assert "refused" in shown
        assert "pat@example.com   delivered" in shown
        reader.shell(typed("causeway dead export")[0])
        assert len(list((tmp_path / "parked").glob("*.converted.eml"))) == 3
        with reader.terminal(mended, "catching"):
            assert "pat@example.com has the message already" in reader.shell(dry_run)
            reader.shell(SHOWN_ID.sub(first, one_alone))
            trace = SHOWN_ID.sub(first, typed("causeway trace")[0])
            eventually(lambda: "delivery.delivered" in reader.shell(trace), SECONDS)
            reader.shell(all_others)
            eventually(lambda: len(list((tmp_path / "caught").glob("*.json"))) == 4, SECONDS)
        caught = sorted(reader.shell(typed("grep -ho")[0]).splitlines())
        assert caught == sorted(line for line in blocks("$ grep")[0].splitlines() if not line.startswith("$"))
        assert reader.json("causeway dead list") == []
        assert "egress.exchange" in reader.shell(typed("rq info")[0].replace("$URL", DataFolder(tmp_path / "data").url))
