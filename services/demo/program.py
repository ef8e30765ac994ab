"""A program beside the demonstration: it runs for as long as a context lasts, or we do."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shared.operations.tether import tethered

STOP_SECONDS = 90


@contextmanager
def running_program(command: list[str], log: Path, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program inside the block; at the end it has STOP_SECONDS to stop. log: its output is appended there."""
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603 (the command is trusted)
            tethered(command),
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment},
            start_new_session=True,
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
