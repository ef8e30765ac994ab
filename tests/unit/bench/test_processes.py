from __future__ import annotations

import os
import signal
import subprocess
import sys

from bench.processes import family_cpu_seconds
from tests.support.processes import eventually

WORKING_CHILD = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'while True: pass'])"


def test_the_work_of_a_grandchild_counts() -> None:
    before = family_cpu_seconds()
    with subprocess.Popen([sys.executable, "-c", WORKING_CHILD], start_new_session=True) as child:
        try:
            eventually(lambda: family_cpu_seconds() - before > 1)
        finally:
            os.killpg(child.pid, signal.SIGKILL)
