"""On PYTHONPATH: `time.time` of a process is ahead by as many seconds as the file $CAUSEWAY_TEST_CLOCK says."""

import os
import time
from pathlib import Path

_file = Path(os.environ["CAUSEWAY_TEST_CLOCK"])
_true_time = time.time


def _stepped_time() -> float:
    return _true_time() + float(_file.read_text())


time.time = _stepped_time
